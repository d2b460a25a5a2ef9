// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// The standard input of a process that another one of this program started: it ends when that one does, however
/// that was.
package enum StandardInput {
    /// From now on the end of the input is the end of the process. What is still read is thrown away.
    package static func endProcessAtEnd() {
        Thread {
            while readLine() != nil {}
            _exit(0)
        }.start()
    }

    /// Hands over line by line, on a thread of its own, and ends the process after the last.
    static func lines() -> AsyncStream<String> {
        let (lines, continuation) = AsyncStream<String>.makeStream()
        Thread {
            while let line = readLine() { continuation.yield(line) }
            _exit(0)
        }.start()
        return lines
    }
}
