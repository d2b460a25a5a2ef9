// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// Writes a result to standard output, with a line break: the one way for everything that a command has to say.
///
/// It is written at once. Whatever cannot be written (a full disk, a closed descriptor) is an error, because a result
/// that nobody has is none; a reader that has gone away wants no more and gets no complaint.
func say(_ text: String, terminator: String = "\n") throws {
    do throws(OutputError) {
        try StandardOutput.write(text + terminator)
    } catch {
        // As the signal would have ended the process, had nobody to put things in order first.
        guard error.code != EPIPE else { throw ExitCode(128 + SIGPIPE) }
        throw error
    }
}

/// Why a result could not be handed over.
struct OutputError: Error, CustomStringConvertible {
    /// `errno` of the call that failed.
    var code: Int32

    var description: String { "cannot write to standard output: \(String(cString: strerror(code)))" }
}

enum StandardOutput {
    /// It was closed when the program began: what is behind its number now is something else.
    nonisolated(unsafe) private static var wasClosed = false

    /// Before anything is opened. A number below 3 that is free would be given to the next socket, which would then be
    /// written to; and a file that may not grow further has to be an error of the write, not the end of the process.
    static func prepare() {
        wasClosed = fcntl(STDOUT_FILENO, F_GETFD) < 0
        while true {
            let file = open("/dev/null", O_RDWR)
            guard file > STDERR_FILENO || file < 0 else { continue }
            if file >= 0 { close(file) }
            break
        }
        signal(SIGXFSZ, SIG_IGN)
    }

    fileprivate static func write(_ text: String) throws(OutputError) {
        guard !wasClosed else { throw OutputError(code: EBADF) }
        if let code = writeBytes(text, to: STDOUT_FILENO) { throw OutputError(code: code) }
    }
}

/// Progress and warnings: standard error, so that results can be piped.
func note(_ text: String) {
    writeAll("homa: \(text)\n", to: STDERR_FILENO)
}

/// Writes text at once to where nobody could be told of a failure, or finds out otherwise.
func writeAll(_ text: String, to file: Int32) { _ = writeBytes(text, to: file) }

/// Writes all of a text at once, past the buffers of the C library. Returns what went wrong, as in `errno`.
private func writeBytes(_ text: String, to file: Int32) -> Int32? {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        if count > 0 {
            bytes = bytes.dropFirst(count)
        } else if count < 0, errno == EAGAIN {
            // Somebody shares the descriptor and does not want to wait; this does.
            var ready = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
            _ = poll(&ready, 1, -1)
        } else if count == 0 || errno != EINTR {
            return count == 0 ? EIO : errno
        }
    }
    return nil
}
