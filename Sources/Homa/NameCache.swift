// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
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
        let result = await lookUpOnThread(host: host, port: port)
        let address = try result.get()
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

/// One name lookup under way.
private final class Lookup: Sendable {
    let host: String
    let port: UInt16?
    let continuation: UnsafeContinuation<Result<HomaAddress, HomaError>, Never>

    init(host: String, port: UInt16?, continuation: UnsafeContinuation<Result<HomaAddress, HomaError>, Never>) {
        self.host = host
        self.port = port
        self.continuation = continuation
    }
}

/// Asks the name service on a thread of its own, since that may block for seconds.
private nonisolated(nonsending) func lookUpOnThread(host: String, port: UInt16?) async -> Result<HomaAddress, HomaError>
{
    await withUnsafeContinuation { continuation in
        let lookup = Unmanaged.passRetained(Lookup(host: host, port: port, continuation: continuation))
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, runLookup, lookup.toOpaque())
        if code == 0 {
            pthread_detach(thread)
        } else {
            lookup.release()
            continuation.resume(
                returning: .failure(HomaError(.system, "no thread to look up \"\(host)\" (pthread_create: \(code))")))
        }
    }
}

private func runLookup(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let lookup = Unmanaged<Lookup>.fromOpaque(argument).takeRetainedValue()
    do throws(HomaError) {
        lookup.continuation.resume(returning: .success(try HomaAddress.lookUp(host: lookup.host, port: lookup.port)))
    } catch {
        lookup.continuation.resume(returning: .failure(error))
    }
    return nil
}
