// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaIO
internal import HomaPosix
internal import Synchronization

/// Texts already turned into addresses. A name stands for a list of them, and for a while.
final class NameCache: Sendable {
    private struct Entry {
        var addresses: [HomaAddress]
        var expiry: Instant
    }

    /// More texts than this are not remembered at once; the cache then starts afresh.
    private static let capacity = 4096
    private static let nameLifetime = Duration.seconds(30)
    private let entries = Mutex<[String: Entry]>([:])

    /// The addresses, one at least, when they are remembered and not too old.
    func addresses(of text: String, at now: Instant) -> [HomaAddress]? {
        entries.withLock { entries in
            guard let entry = entries[text], entry.expiry > now else { return nil }
            return entry.addresses
        }
    }

    /// Finds the addresses and remembers them.
    nonisolated(nonsending) func resolve(
        _ text: String, clock: () -> Instant
    ) async throws(HomaError) -> [HomaAddress] {
        let (host, port) = try HomaAddress.split(text)
        if HomaAddress.isNumeric(host) {
            let addresses = try HomaAddress.lookUp(host: host, port: port)
            remember(text, addresses, until: .distantFuture)
            return addresses
        }
        let addresses = try await lookUpOnThread(host: host, port: port)
        remember(text, addresses, until: clock() + Self.nameLifetime)
        return addresses
    }

    /// Where nobody answered is tried last from now on, if there is another address.
    func prefer(_ address: HomaAddress, for text: String) {
        entries.withLock { entries in
            guard let index = entries[text]?.addresses.firstIndex(of: address), index > 0 else { return }
            let failed = entries[text]!.addresses[..<index]
            entries[text]!.addresses.removeSubrange(..<index)
            entries[text]!.addresses += failed
        }
    }

    /// What the name stands for may have moved: the name service is asked anew.
    func forget(_ text: String) {
        entries.withLock { entries in
            if let entry = entries[text], entry.expiry < .distantFuture { entries[text] = nil }
        }
    }

    func remember(_ text: String, _ addresses: [HomaAddress], until expiry: Instant) {
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
            entries[text] = Entry(addresses: addresses, expiry: expiry)
        }
    }
}

/// Asks the name service on a thread of its own, since that may block for seconds.
private nonisolated(nonsending) func lookUpOnThread(
    host: String, port: UInt16?
) async throws(HomaError) -> [HomaAddress] {
    let result: Result<[HomaAddress], HomaError>
    do throws(SystemError) {
        result = try await runOnOwnThread {
            Result { () throws(HomaError) in try HomaAddress.lookUp(host: host, port: port) }
        }
    } catch {
        throw HomaError(.system, "no thread to look up \"\(host)\": \(error)")
    }
    return try result.get()
}

/// Names.
extension HomaNode {
    /// The address that a text names: at once for numeric ones and those asked for lately, else after
    /// asking the name service on a thread of its own. Names are remembered for 30 seconds.
    ///
    /// A name may stand for several addresses; this is the one that is tried first, see ``addresses(of:)``.
    /// Cancelling the task does not shorten a name lookup.
    ///
    /// - Throws: code `invalidAddress` or `nameNotFound`.
    public nonisolated(nonsending) func resolve(_ text: String) async throws(HomaError) -> HomaAddress {
        try await addresses(of: text)[0]
    }

    /// All addresses that a text names, one at least, in the order in which calls by that name try them: that of the
    /// name service, but where nobody answered of late comes last.
    ///
    /// - Throws: as ``resolve(_:)`` does.
    public nonisolated(nonsending) func addresses(of text: String) async throws(HomaError) -> [HomaAddress] {
        if let addresses = names.addresses(of: text, at: engine.now) { return addresses }
        return try await names.resolve(text, clock: { [engine] in engine.now })
    }

    /// Does something with the first address of a name at which somebody answers. What has certainly not run at one
    /// goes to the next; after a failure the name service is asked anew.
    nonisolated(nonsending) func atFirst<Value>(
        of text: String, deadline: Duration?,
        _ body: nonisolated(nonsending) (HomaAddress, Duration?) async throws(HomaError) -> Value
    ) async throws(HomaError) -> Value {
        let start = engine.now
        let candidates = try await addresses(of: text)
        for (index, candidate) in candidates.enumerated() {
            let elapsed = Duration.nanoseconds(engine.now.nanoseconds(since: start))
            do throws(HomaError) {
                let value = try await body(candidate, index == 0 ? deadline : deadline.map { max(.zero, $0 - elapsed) })
                if index > 0 { names.prefer(candidate, for: text) }
                return value
            } catch {
                guard error.saysNobodyIsThere else { throw error }
                guard index + 1 < candidates.count, !error.mayHaveRun else {
                    names.forget(text)
                    throw error
                }
            }
        }
        preconditionFailure("a name has an address")
    }
}
