// SPDX-License-Identifier: Apache-2.0

public import HomaCore

/// Who takes the requests of one open port. All closures run on the engine thread and must not block.
public struct PortSink: Sendable {
    /// Who opened the port; closing it on behalf of another owner does nothing.
    public let owner: any AnyObject & Sendable
    /// A request is complete. From now on somebody must answer or decline it.
    public var deliver: @Sendable (ArrivedRequest, ReceivedMessage) -> Void
    /// Nobody waits any more for the answer to a request that was delivered and not answered.
    public var abandoned: @Sendable (RPCHandle) -> Void
    /// No more will come, because the port or the engine was closed.
    public var closed: @Sendable () -> Void

    public init(
        owner: any AnyObject & Sendable, deliver: @escaping @Sendable (ArrivedRequest, ReceivedMessage) -> Void,
        abandoned: @escaping @Sendable (RPCHandle) -> Void = { _ in }, closed: @escaping @Sendable () -> Void
    ) {
        self.owner = owner
        self.deliver = deliver
        self.abandoned = abandoned
        self.closed = closed
    }
}

/// The sinks of all server ports, by port number; touched by the engine thread only.
struct PortSinks: ~Copyable {
    private static var count: Int { 0x8000 }
    private let sinks: UnsafeMutablePointer<Unmanaged<Box>?>

    private final class Box {
        let sink: PortSink
        init(_ sink: PortSink) { self.sink = sink }
    }

    init() {
        sinks = .allocate(capacity: Self.count)
        sinks.initialize(repeating: nil, count: Self.count)
    }

    deinit {
        for port in 0..<Self.count { sinks[port]?.release() }
        sinks.deallocate()
    }

    /// The sink of `port`, nil when it is not open.
    subscript(port: UInt16) -> PortSink? {
        Int(port) < Self.count ? sinks[Int(port)]?._withUnsafeGuaranteedRef { $0.sink } : nil
    }

    mutating func insert(_ sink: PortSink, at port: UInt16) {
        sinks[Int(port)]?.release()
        sinks[Int(port)] = Unmanaged.passRetained(Box(sink))
    }

    mutating func remove(_ port: UInt16) -> PortSink? {
        guard let sink = self[port] else { return nil }
        sinks[Int(port)]?.release()
        sinks[Int(port)] = nil
        return sink
    }

    /// The ports that are open.
    var open: [UInt16] { (0..<Self.count).filter { sinks[$0] != nil }.map { UInt16($0) } }

    mutating func removeAll() -> [PortSink] { open.compactMap { remove($0) } }
}
