// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Tells what was being worked on when the program crashed.
///
/// Nothing can be worked out then: texts lie ready and are written out with nothing but `write`.
public enum CrashNote {
    /// Whose work is told.
    public enum Scope: Sendable {
        /// All that was under way, a line each; then the process ends by the signal, as it would have.
        case everything
        /// That of the thread that crashed, behind the heading; then the process ends with this status.
        case crashedThread(status: Int32)
    }

    private struct Entry {
        var thread: pthread_t = 0
        var text: UnsafeMutablePointer<CChar>?
    }

    private static let slots = 256
    nonisolated(unsafe) private static let entries: UnsafeMutablePointer<Entry> = {
        let memory = UnsafeMutablePointer<Entry>.allocate(capacity: slots)
        memory.initialize(repeating: Entry(), count: slots)
        return memory
    }()
    nonisolated(unsafe) private static let lock: UnsafeMutablePointer<pthread_mutex_t> = {
        let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        return lock
    }()
    nonisolated(unsafe) private static var heading: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var scope = Scope.everything

    /// From now on a trap or a fault is told. A second call replaces the heading.
    public static func install(_ heading: String, _ scope: Scope = .everything) {
        _ = entries
        let before = Self.heading
        Self.heading = strdup(heading)
        free(before)
        Self.scope = scope
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] { signal(number, tellCrash) }
    }

    /// Remembers a text while `body` runs on this thread. With more threads than slots some are not remembered.
    public static func whileRunning<R>(_ text: @autoclosure () -> String, _ body: () throws -> R) rethrows -> R {
        let copy = strdup(text())
        pthread_mutex_lock(lock)
        let slot = (0..<slots).first { entries[$0].text == nil }
        if let slot { entries[slot] = Entry(thread: pthread_self(), text: copy) }
        pthread_mutex_unlock(lock)
        defer {
            pthread_mutex_lock(lock)
            if let slot { entries[slot] = Entry() }
            pthread_mutex_unlock(lock)
            free(copy)
        }
        return try body()
    }

    private static func tell(_ text: UnsafePointer<CChar>?) {
        if let text { _ = write(STDERR_FILENO, text, strlen(text)) }
    }

    private static func endLine() {
        var end = UInt8(ascii: "\n")
        _ = write(STDERR_FILENO, &end, 1)
    }

    fileprivate static func tell(_ number: Int32) {
        tell(heading)
        switch scope {
        case .everything:
            endLine()
            for slot in 0..<slots {
                guard let text = entries[slot].text else { continue }
                tell(text)
                endLine()
            }
            signal(number, SIG_DFL)
            raise(number)
        case .crashedThread(let status):
            let thread = pthread_self()
            for slot in 0..<slots where entries[slot].thread == thread { tell(entries[slot].text) }
            endLine()
            _exit(status)
        }
    }
}

private func tellCrash(_ number: Int32) { CrashNote.tell(number) }
