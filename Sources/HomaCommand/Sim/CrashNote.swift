// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import HomaSim

/// Says how to repeat what was being simulated when the program crashed.
///
/// The simulator stops the program when it finds itself in a state that cannot be. Nothing can be worked out then: the
/// texts are made before and only written out, with nothing but `write`.
enum CrashNote {
    private static let slots = 256
    nonisolated(unsafe) private static let texts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        .allocate(capacity: slots)
    private static let lock = NSLock()
    nonisolated(unsafe) private static var isInstalled = false

    /// Before the first ``whileRunning(_:_:)``.
    static func install() {
        lock.withLock {
            guard !isInstalled else { return }
            isInstalled = true
            texts.initialize(repeating: nil, count: slots)
            for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
                signal(number) { number in
                    CrashNote.say("homa: the program crashed; what was being simulated can be repeated with\n")
                    for slot in 0..<CrashNote.slots {
                        guard let text = CrashNote.texts[slot] else { continue }
                        _ = write(STDERR_FILENO, text, strlen(text))
                        CrashNote.say("\n")
                    }
                    signal(number, SIG_DFL)
                    raise(number)
                }
            }
        }
    }

    private static func say(_ text: StaticString) { _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount) }

    /// Remembers a scenario while `body` runs. With more threads than slots some are not remembered.
    static func whileRunning<R>(_ scenario: Scenario, _ body: () throws -> R) rethrows -> R {
        let text = strdup("homa sim run \(shellQuoted(scenario.json.description))")
        let slot = lock.withLock { () -> Int? in
            let slot = (0..<slots).first { texts[$0] == nil }
            if let slot { texts[slot] = text }
            return slot
        }
        defer {
            lock.withLock { if let slot { texts[slot] = nil } }
            free(text)
        }
        return try body()
    }
}
