// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaCore
internal import Synchronization

/// Which requests of an engine nobody waits for any more: written by its thread, read by any.
///
/// One word for each RPC record, which names the request that was delivered from it last. So a request that is neither
/// named nor answered has been abandoned, also when its record has another RPC since, and one that is live is never
/// taken for abandoned. A delivery costs one store.
final class AbandonmentTable: @unchecked Sendable {  // words are atomic
    private let words: UnsafeMutablePointer<Atomic<UInt32>>
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        // Zeros, of which the system makes memory when they are first written: no generation of a live RPC is 0.
        guard let memory = calloc(max(capacity, 1), MemoryLayout<Atomic<UInt32>>.stride) else {
            preconditionFailure("no memory for \(capacity) requests")
        }
        words = memory.bindMemory(to: Atomic<UInt32>.self, capacity: max(capacity, 1))
    }

    deinit { free(words) }

    /// The application is about to get the request.
    @inline(__always)
    func delivered(_ rpc: RPCHandle) { words[Int(rpc.slot)].store(rpc.generation, ordering: .relaxed) }

    /// Nobody waits for it any more.
    func abandon(_ rpc: RPCHandle) { words[Int(rpc.slot)].store(0, ordering: .sequentiallyConsistent) }

    /// Of a request that was delivered and has not been answered.
    func isAbandoned(_ rpc: RPCHandle) -> Bool {
        words[Int(rpc.slot)].load(ordering: .sequentiallyConsistent) != rpc.generation
    }
}
