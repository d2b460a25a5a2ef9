// SPDX-License-Identifier: Apache-2.0

import HomaWire
import Testing

@Suite("Wire error")
struct WireErrorTests {
    @Test("codes are dense and names are distinct")
    func codes() {
        #expect(WireError.codeCount == WireError.allCases.count)
        #expect(WireError.allCases.map(\.code) == Array(0..<WireError.codeCount))
        let names = (0..<WireError.codeCount).map(WireError.name(ofCode:))
        #expect(Set(names).count == WireError.codeCount)
        #expect(names.allSatisfy { $0.allSatisfy { $0 == "_" || ("a"..."z").contains($0) } })
        #expect(WireError.name(ofCode: WireError.cutoffsRising.code) == "cutoffs_rising")
    }

    /// One packet for each reason, each with a single fault.
    static let faults: [(WireError, [UInt8])] = [
        (.shorterThanCommonHeader, Array(Sample.busy.dropLast())),
        (.unknownType, Sample.busy.replacing(at: 11, with: [0x19])),
        (.shorterThanTypeHeader, Array(Sample.grant.dropLast())),
        (.sourcePortZero, Sample.busy.replacing(at: 0, with: [0, 0])),
        (.destinationPortZero, Sample.busy.replacing(at: 2, with: [0, 0])),
        (.idZero, Sample.busy.replacing(at: 27, with: [1])),
        (.needAckFromClient, Sample.needAck.replacing(at: 27, with: [2])),
        (.ackFromServer, Sample.ack.replacing(at: 27, with: [3])),
        (.messageEmpty, Sample.data.replacing32(at: 28, with: 0)),
        (.messageTooLong, Sample.data.replacing32(at: 28, with: 1_000_001)),
        (.payloadEmpty, Array(Sample.data.prefix(56))),
        (.offsetBeyondMessage, Sample.data.replacing32(at: 52, with: 5)),
        (.payloadBeyondMessage, Sample.data.replacing32(at: 52, with: 4)),
        (.incomingBeyondMessage, Sample.data.replacing32(at: 32, with: 6)),
        (.ackRecordIDOdd, Sample.data.replacing(at: 43, with: [5, 0, 1])),
        (.ackRecordPortZero, Sample.data.replacing(at: 43, with: [4])),
        (.tooManyAcks, Sample.ack.replacing(at: 29, with: [6])),
        (.priorityOutOfRange, Sample.grant.replacing(at: 32, with: [8])),
        (.grantEmpty, Sample.grant.replacing32(at: 28, with: 0)),
        (.grantTooFar, Sample.grant.replacing32(at: 28, with: 1_000_001)),
        (.resendOffsetTooFar, Sample.resend.replacing32(at: 28, with: 1_000_001)),
        (.resendEmpty, Sample.resend.replacing32(at: 32, with: 0)),
        (.resendLengthNegative, Sample.resend.replacing32(at: 32, with: 0x8000_0000)),
        (.resendEndTooFar, Sample.resend.replacing32(at: 32, with: 1_000_001)),
        (.cutoffTooLarge, Sample.cutoffsPacket.replacing32(at: 32, with: 0x8000_0000)),
        (.cutoffsRising, Sample.cutoffsPacket.replacing32(at: 56, with: 2_801)),
    ]

    @Test("every reason is given for some packet, and the packet is fine without its fault")
    func eachReason() {
        // What is wrong with a bundle is no packet's fault.
        #expect(Self.faults.map(\.0) == WireError.allCases.filter { $0 != .bundleEntryCut })
        for (reason, packet) in Self.faults { #expect(refusal(packet) == reason) }
        for type in PacketType.allCases { #expect(refusal(Sample.packet(type)) == nil) }
    }
}
