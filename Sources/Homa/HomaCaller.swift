// SPDX-License-Identifier: Apache-2.0

/// What calls servers: a ``HomaNode``, or whatever stands in for one.
///
/// For code that only calls: with `some HomaCaller` in place of a node it can be tested without a network, against the
/// product `HomaTestKit`'s `StubCaller` or one of your own, and be given callers that retry or count. What a stand-in
/// needs it can make: ``HomaMessage/init(copying:)-([UInt8])`` and ``HomaError/init(_:_:peer:elapsed:response:)``.
public protocol HomaCaller: Sendable {
    /// Sends a request and returns the response; see ``HomaNode/call(_:sending:deadline:)-(HomaAddress,HomaBuffer,_)``.
    nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: HomaBuffer, deadline: Duration?
    ) async throws(HomaError) -> HomaMessage

    /// Sends a message that is not answered; see ``HomaNode/send(_:to:deadline:)-(HomaBuffer,HomaAddress,_)``.
    nonisolated(nonsending) func send(
        _ message: HomaBuffer, to server: HomaAddress, deadline: Duration?
    ) async throws(HomaError)

    /// The address that a text names; see ``HomaNode/resolve(_:)``.
    nonisolated(nonsending) func resolve(_ text: String) async throws(HomaError) -> HomaAddress
}

extension HomaNode: HomaCaller {}

extension HomaCaller {
    /// Sends a copy of `request` and returns the response.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: [UInt8], deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: HomaBuffer(copying: request), deadline: deadline)
    }

    /// Sends a copy of `request` to the server that a text names, and returns the response.
    public nonisolated(nonsending) func call(
        _ server: String, sending request: [UInt8], deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(resolve(server), sending: HomaBuffer(copying: request), deadline: deadline)
    }

    /// Sends a copy of `message`, which is not answered.
    public nonisolated(nonsending) func send(
        _ message: [UInt8], to server: HomaAddress, deadline: Duration? = nil
    ) async throws(HomaError) {
        try await send(HomaBuffer(copying: message), to: server, deadline: deadline)
    }
}
