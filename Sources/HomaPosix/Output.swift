// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Writes a result to standard output, with a line break: the one way for everything that a program here has to say.
///
/// It is written at once. Whatever cannot be written (a full disk, a closed descriptor) is an error, because a result
/// that nobody has is none.
public func say(_ text: String, terminator: String = "\n") throws(OutputError) {
    try StandardOutput.write(text + terminator)
}

/// Why a result could not be handed over.
public struct OutputError: Error, Equatable, CustomStringConvertible {
    /// `errno` of the call that failed.
    public var code: Int32

    /// The reader has gone away: it wants no more, and gets no complaint.
    public var isReaderGone: Bool { code == EPIPE }

    public var description: String { "cannot write to standard output: \(String(cString: strerror(code)))" }
}

/// The descriptor that results go to.
public enum StandardOutput {
    /// It was closed when the program began: what is behind its number now is something else.
    nonisolated(unsafe) private static var wasClosed = false

    /// Before anything is opened. A number below 3 that is free would be given to the next socket, which would then be
    /// written to; and a file that may not grow further has to be an error of the write, not the end of the process.
    public static func prepare() {
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
public func note(_ text: String) {
    writeAll("homa: \(text)\n", to: STDERR_FILENO)
}

/// Writes text at once to where nobody could be told of a failure, or finds out otherwise.
public func writeAll(_ text: String, to file: Int32) { _ = writeBytes(text, to: file) }

/// Writes all of a text at once, past the buffers of the C library. Returns what went wrong, as in `errno`.
public func writeBytes(_ text: String, to file: Int32) -> Int32? {
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
