// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaIO
internal import HomaPosix
internal import Synchronization

/// Texts already turned into addresses.
final class NameCache: Sendable {
    private struct Entry {
        var address: HomaAddress
        var expiry: Instant
    }

    /// More texts than this are not remembered at once; the cache then starts afresh.
    private static let capacity = 4096
    private static let nameLifetime = Duration.seconds(30)
    private let entries = Mutex<[String: Entry]>([:])

    /// The address, when it is remembered and not too old.
    func address(of text: String, at now: Instant) -> HomaAddress? {
        entries.withLock { entries in
            guard let entry = entries[text], entry.expiry > now else { return nil }
            return entry.address
        }
    }

    /// Finds the address and remembers it.
    nonisolated(nonsending) func resolve(
        _ text: String, clock: () -> Instant
    ) async throws(HomaError) -> HomaAddress {
        let (host, port) = try HomaAddress.split(text)
        if HomaAddress.isNumeric(host) {
            let address = try HomaAddress.lookUp(host: host, port: port)
            remember(text, Entry(address: address, expiry: .distantFuture))
            return address
        }
        let address = try await lookUpOnThread(host: host, port: port)
        remember(text, Entry(address: address, expiry: clock() + Self.nameLifetime))
        return address
    }

    private func remember(_ text: String, _ entry: Entry) {
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
            entries[text] = entry
        }
    }
}

/// Asks the name service on a thread of its own, since that may block for seconds.
private nonisolated(nonsending) func lookUpOnThread(
    host: String, port: UInt16?
) async throws(HomaError) -> HomaAddress {
    let result: Result<HomaAddress, HomaError>
    do throws(SystemError) {
        result = try await runOnOwnThread {
            Result { () throws(HomaError) in try HomaAddress.lookUp(host: host, port: port) }
        }
    } catch {
        throw HomaError(.system, "no thread to look up \"\(host)\": \(error)")
    }
    return try result.get()
}
