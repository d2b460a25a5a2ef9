// SPDX-License-Identifier: Apache-2.0

public import Glibc

/// A system call that failed, and what it was for.
public struct SystemError: Error, Equatable, Sendable {
    /// The call, as its manual page is named.
    public let call: String
    /// The value of `errno`.
    public let code: Int32
    /// What the call worked on: an address, a size, an option. May be empty.
    public let context: String

    public init(call: String, code: Int32, context: String = "") {
        self.call = call
        self.code = code
        self.context = context
    }

    /// The system's own words for `code`.
    public var text: String { Self.text(of: code) }

    /// The system's own words for an error code.
    public static func text(of code: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            buffer.initialize(repeating: 0)
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else {
                return "error \(code)"
            }
            return String(cString: base)
        }
    }
}

extension SystemError {
    /// The name of an error code that a send may meet, such as `EPERM`; its number for others.
    public static func name(of code: Int32) -> String {
        switch code {
        case EPERM: "EPERM"
        case EACCES: "EACCES"
        case EINVAL: "EINVAL"
        case ENETUNREACH: "ENETUNREACH"
        case EHOSTUNREACH: "EHOSTUNREACH"
        case ENETDOWN: "ENETDOWN"
        case EHOSTDOWN: "EHOSTDOWN"
        case ENOBUFS: "ENOBUFS"
        case ENOMEM: "ENOMEM"
        case EADDRNOTAVAIL: "EADDRNOTAVAIL"
        case EAFNOSUPPORT: "EAFNOSUPPORT"
        case ENODEV: "ENODEV"
        case EIO: "EIO"
        case ECONNREFUSED: "ECONNREFUSED"
        case ENOSYS: "ENOSYS"
        default: "error \(code)"
        }
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        context.isEmpty ? "\(call): \(text)" : "\(call) (\(context)): \(text)"
    }
}

extension SystemError {
    /// The call that has just failed on this thread, by `errno`.
    public static func last(_ call: String, _ context: String = "") -> SystemError {
        SystemError(call: call, code: errno, context: context)
    }

    /// Turns the C shim's "value or -errno" into a value or an error.
    @inlinable
    @discardableResult
    public static func check(
        _ result: Int32, _ call: String, _ context: @autoclosure () -> String = ""
    ) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(call: call, code: -result, context: context())
    }

    /// The same for calls that answer -1 and set `errno`.
    @inlinable
    @discardableResult
    public static func checkErrno(
        _ result: Int32, _ call: String, _ context: @autoclosure () -> String = ""
    ) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(call: call, code: errno, context: context())
    }
}
