// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A system call on a socket that failed.
public struct SocketError: Error, Equatable, CustomStringConvertible {
    /// The call, such as `connect`.
    public let operation: String
    /// Its `errno`.
    public let code: Int32

    public init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    /// The call that has just failed on this thread.
    static func last(_ operation: String) -> SocketError { SocketError(operation, code: errno) }

    public var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// The result of a call that returns a negative number on failure.
func checked(_ result: Int32, _ operation: String) throws(SocketError) -> Int32 {
    guard result >= 0 else { throw .last(operation) }
    return result
}
