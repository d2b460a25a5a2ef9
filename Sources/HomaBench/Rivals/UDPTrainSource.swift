// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc
public import HomaPosix

/// Sends trains of datagrams to a `UDPTrainSink` as fast as they arrive there.
public enum UDPTrainSource {
    /// What was carried in the measured window.
    public struct Result: Sendable {
        /// Bytes that arrived, datagram headers left out, in bits per second.
        public var goodput: Double
        /// Bytes of one datagram.
        public var datagramBytes: Int
        /// Datagrams in a train.
        public var datagramsPerTrain: Int
    }

    /// Without an answer for this many nanoseconds (2 s) something was lost, and the run fails. On a busy machine the
    /// sink may have to wait for its turn for a tenth of that.
    public static let lossTimeout: UInt64 = 2_000_000_000

    /// Sends for `warmUp` and `duration`, spinning on the calling thread.
    ///
    /// - Throws: also `ETIMEDOUT` when datagrams are lost, since the figure would mean nothing then.
    public static func run(
        sink: PeerAddress, warmUp: Duration = .milliseconds(200), duration: Duration = .seconds(1)
    ) throws(SystemError) -> Result {
        let sender = try TrainSender(sink)
        let window = MeasurementWindow(warmUp: warmUp, duration: duration)
        let start = MonotonicClock.nanoseconds()
        var (first, last): (UInt64?, UInt64) = (nil, 0)
        var (firstTime, lastTime): (UInt64, UInt64) = (0, 0)
        while true {
            let before = sender.arrived
            try sender.step()
            guard sender.arrived > before else { continue }
            let time = MonotonicClock.nanoseconds() - start
            if window.contains(time) {
                if first == nil { (first, firstTime) = (sender.arrived, time) }
                (last, lastTime) = (sender.arrived, time)
            }
            if time >= window.end { break }
        }
        guard let first, lastTime > firstTime else { throw SystemError(call: "recv", code: ETIMEDOUT) }
        return Result(
            goodput: Double(last - first) * 8e9 / Double(lastTime - firstTime), datagramBytes: sender.shape.datagram,
            datagramsPerTrain: sender.shape.count)
    }
}

extension UDPTrainSource.Result: ThresholdSubject {
    public func measured(_ quantity: Threshold.Quantity) -> MeasuredValue? {
        switch quantity {
        case .goodput: MeasuredValue(goodput)
        // A run that loses anything is none.
        case .errors: MeasuredValue(0)
        case .percentile, .mean, .maximum, .rate: nil
        }
    }
}

/// The sending side's socket and memory.
private final class TrainSender {
    let shape: (datagram: Int, count: Int)
    private(set) var arrived: UInt64 = 0
    private let file: Int32
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: UDPTrains.memoryBytes, alignment: 4096)
    private var position = 0
    private var sent: UInt64 = 0
    private var lastAnswer = MonotonicClock.nanoseconds()
    private var turn = 0

    init(_ sink: PeerAddress) throws(SystemError) {
        file = try Sockets.datagram(connectedTo: sink)
        memory.initializeMemory(as: UInt8.self, repeating: 0x5A, count: UDPTrains.memoryBytes)
        do throws(SystemError) {
            shape = UDPTrains.shape(mtu: try Sockets.pathMTU(file, isIPv4: sink.isIPv4), isIPv4: sink.isIPv4)
            try Sockets.set(file, UDPTrains.protocolLevel, UDPTrains.segmentOption, Int32(shape.datagram))
            Sockets.growBuffers(file, UDPTrains.socketBuffer)
        } catch {
            memory.deallocate()
            close(file)
            throw error
        }
    }

    deinit {
        memory.deallocate()
        close(file)
    }

    private var trainBytes: Int { shape.datagram * shape.count }

    /// Sends a train if the window has room for it, else looks for an answer.
    func step() throws(SystemError) {
        if sent - arrived + UInt64(trainBytes) <= UInt64(UDPTrains.window) {
            let count = send(file, memory + position, trainBytes, 0)
            guard count == trainBytes else {
                if count < 0, errno == EAGAIN || errno == EINTR || errno == ENOBUFS { return try listen() }
                throw .last("send")
            }
            sent += UInt64(count)
            position = (position + UDPTrains.slot) % UDPTrains.memoryBytes
        }
        try listen()
    }

    private func listen() throws(SystemError) {
        var word: UInt64 = 0
        let count = recv(file, &word, 8, Int32(MSG_DONTWAIT))
        if count == 8 {
            arrived = max(arrived, word)
            lastAnswer = MonotonicClock.nanoseconds()
            return
        }
        guard count >= 0 || errno == EAGAIN || errno == EINTR else { throw .last("recv") }
        turn &+= 1
        guard turn % 1024 == 0, MonotonicClock.nanoseconds() - lastAnswer > UDPTrainSource.lossTimeout else { return }
        throw SystemError(call: "recv", code: ETIMEDOUT, context: "datagrams were lost")
    }
}
