// SPDX-License-Identifier: Apache-2.0

public import Homa
internal import Synchronization

/// Stands in for a node where code only calls: answers each call by a closure, at once, and keeps what was asked.
///
/// ```swift
/// let stub = StubCaller { call in call.bytes.reversed() }
/// let answer = try await client(using: stub)
/// #expect(stub.calls.count == 1)
/// ```
public final class StubCaller: HomaCaller {
    /// A call, or a one-way message.
    public struct Call: Sendable, Equatable {
        public let server: HomaAddress
        public let bytes: [UInt8]
        public let deadline: Duration?
        /// It was sent by `send` and is not answered.
        public let isOneWay: Bool
    }

    private let answer: @Sendable (Call) async throws(HomaError) -> [UInt8]
    private let names: [String: HomaAddress]
    private let made = Mutex<[Call]>([])

    /// - Parameters:
    ///   - names: the addresses of servers that are called by a name; numeric ones need none.
    ///   - answer: the bytes of the response, at least 1; or an error, which the caller gets. Of one-way messages the
    ///     bytes mean nothing.
    public init(
        names: [String: HomaAddress] = [:], answer: @escaping @Sendable (Call) async throws(HomaError) -> [UInt8]
    ) {
        self.names = names
        self.answer = answer
    }

    /// What was asked so far, in order.
    public var calls: [Call] { made.withLock { $0 } }

    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: HomaBuffer, deadline: Duration?
    ) async throws(HomaError) -> HomaMessage {
        let bytes = try await make(server, request, deadline, isOneWay: false)
        guard !bytes.isEmpty else { throw HomaError(.messageEmpty, "the stub answered with no bytes", peer: server) }
        return HomaMessage(copying: bytes)
    }

    public nonisolated(nonsending) func send(
        _ message: HomaBuffer, to server: HomaAddress, deadline: Duration?
    ) async throws(HomaError) {
        _ = try await make(server, message, deadline, isOneWay: true)
    }

    public nonisolated(nonsending) func resolve(_ text: String) async throws(HomaError) -> HomaAddress {
        if let address = names[text] { return address }
        return try HomaAddress(text)
    }

    private nonisolated(nonsending) func make(
        _ server: HomaAddress, _ message: HomaBuffer, _ deadline: Duration?, isOneWay: Bool
    ) async throws(HomaError) -> [UInt8] {
        let bytes = message.withBytes { span in span.withUnsafeBytes { Array($0) } }
        let call = Call(server: server, bytes: bytes, deadline: deadline, isOneWay: isOneWay)
        made.withLock { $0.append(call) }
        return try await answer(call)
    }
}
