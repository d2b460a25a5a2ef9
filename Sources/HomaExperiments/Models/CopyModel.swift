// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

/// A model of one host that receives long messages over a link and has one processor to copy them to the application.
///
/// Packets of a message come back to back at the link's rate. The processor copies at a rate of its own: each packet
/// as it comes, or each message once it is complete. The sender has a fixed number of messages outstanding and begins
/// the next one a round trip after one was copied.
struct CopyModel: Equatable, Sendable {
    enum Mode: String, Sendable, CaseIterable {
        /// Each packet is copied when it has come, as into bpages, or into the buffer of a read from a stream.
        case pipelined = "as packets come"
        /// Nothing is copied before the last packet has come.
        case afterComplete = "after the last packet"
    }

    var mode = Mode.pipelined
    /// Gb/s at which the processor copies, with all its other work for these bytes.
    var copyGbps = 18.5
    var outstanding = 1
    var messageBytes = 500_000
    var linkGbps = 25.0
    /// As in jumbo frames.
    var packetBytes = 8_972
    /// Bytes on the wire beside a packet's payload.
    static let overhead = 96
    /// Of a short request and its answer on the cluster of the ATC 2021 paper.
    static let roundTripNanoseconds = 15_000.0
    private static let messages = 400

    var json: JSONValue {
        .object([
            .init("model", .string("copying")), .init("mode", .string(mode.rawValue)),
            .init("copy_gbps", .double(copyGbps)), .init("outstanding", .integer(outstanding)),
            .init("message_bytes", .integer(messageBytes)), .init("link_gbps", .double(linkGbps)),
            .init("packet_bytes", .integer(packetBytes)),
        ])
    }

    var key: String { StableHash.of(json.description) }

    /// Goodput in Gb/s, without the first messages, while which nothing is in the way of others.
    func run() -> JSONValue {
        var link = 0.0
        var processor = 0.0
        var done: [Double] = []
        for index in 0..<Self.messages {
            // The place of the message that was copied so many messages ago is free a round trip later.
            let earliest = index < outstanding ? 0 : done[index - outstanding] + Self.roundTripNanoseconds
            link = max(link, earliest)
            var rest = messageBytes
            while rest > 0 {
                let bytes = min(rest, packetBytes)
                rest -= bytes
                link += Double(bytes + Self.overhead) * 8 / linkGbps
                if mode == .pipelined { processor = max(processor, link) + Double(bytes) * 8 / copyGbps }
            }
            if mode == .afterComplete { processor = max(processor, link) + Double(messageBytes) * 8 / copyGbps }
            done.append(processor)
        }
        let first = Self.messages / 4
        let span = done[Self.messages - 1] - done[first - 1]
        let goodput = Double((Self.messages - first) * messageBytes) * 8 / span
        return .object([.init("goodput_gbps", .double(goodput))])
    }
}
