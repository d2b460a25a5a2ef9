// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Which seeds run, so that a trap, which ends the process, can be laid to the right one.
///
/// Nothing can be worked out when that happens: the numbers lie ready and are written out with nothing but `write`.
public enum RunningSeeds {
    private static let slots = 256
    nonisolated(unsafe) private static let entries: UnsafeMutablePointer<(thread: UInt, seed: UInt64)> = {
        let memory = UnsafeMutablePointer<(thread: UInt, seed: UInt64)>.allocate(capacity: slots)
        memory.initialize(repeating: (0, 0), count: slots)
        return memory
    }()
    nonisolated(unsafe) private static let lock: UnsafeMutablePointer<pthread_mutex_t> = {
        let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        return lock
    }()

    /// How a run is repeated, after `homa check`, and whether its seed follows.
    nonisolated(unsafe) private static var command: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var namesSeed = false

    /// From now on a trap in a run is told, with the command that repeats it, and ends the process with status 1, as
    /// any other broken rule does.
    /// - Parameters:
    ///   - command: what follows `homa check`, such as `swarm --seeds `.
    ///   - namesSeed: true when the seed of the run is to stand behind it.
    public static func tellTraps(_ command: String, namesSeed: Bool = false) {
        _ = entries
        Self.command = strdup(command)
        Self.namesSeed = namesSeed
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
            signal(number) { _ in
                RunningSeeds.write("homa: no_trap is broken: the program stopped; replay: homa check ")
                if let command = RunningSeeds.command { _ = Glibc.write(STDERR_FILENO, command, strlen(command)) }
                let thread = pthread_self()
                for slot in 0..<RunningSeeds.slots
                where RunningSeeds.namesSeed && RunningSeeds.entries[slot].thread == thread {
                    RunningSeeds.tell(RunningSeeds.entries[slot].seed)
                }
                RunningSeeds.write("\n")
                _exit(1)
            }
        }
    }

    private static func tell(_ seed: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var place = 20
            var rest = seed
            repeat {
                place -= 1
                digits[place] = UInt8(48 + rest % 10)
                rest /= 10
            } while rest > 0
            _ = Glibc.write(STDERR_FILENO, digits.baseAddress! + place, 20 - place)
        }
    }

    private static func write(_ text: StaticString) {
        _ = Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Remembers the seed while `body` runs on this thread. With more threads than slots some are not remembered.
    public static func with<R>(_ seed: UInt64, _ body: () -> R) -> R {
        pthread_mutex_lock(lock)
        let slot = (0..<slots).first { entries[$0].thread == 0 }
        if let slot { entries[slot] = (pthread_self(), seed) }
        pthread_mutex_unlock(lock)
        defer {
            pthread_mutex_lock(lock)
            if let slot { entries[slot] = (0, 0) }
            pthread_mutex_unlock(lock)
        }
        return body()
    }
}
