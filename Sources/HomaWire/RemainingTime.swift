// SPDX-License-Identifier: Apache-2.0

/// How much time the client of a request still has for it, as DATA says it in two bytes.
///
/// A floating number of microseconds: the upper five bits are an exponent *e*, the lower eleven a mantissa *m*, and
/// the time is *m* · 2ᵉ µs. A mantissa of 0 says that there is no deadline, so that packets of a peer without
/// extensions say that as well. Times are rounded up, by less than a part in a thousand: a server must not take a
/// client for gone that still waits.
@frozen
public struct RemainingTime: Equatable, Sendable, BitwiseCopyable {
    public var rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// There is no deadline.
    @inlinable
    public static var unlimited: RemainingTime { RemainingTime(rawValue: 0) }

    @inlinable static var mantissaBits: Int { 11 }

    /// At least a microsecond, since a time of 0 would say that there is no deadline; more than fifty days are none.
    @inlinable
    public init(nanoseconds: UInt64) {
        let microseconds = max(1, nanoseconds / 1000 + (nanoseconds % 1000 == 0 ? 0 : 1))
        var exponent = max(0, UInt64.bitWidth - microseconds.leadingZeroBitCount - Self.mantissaBits)
        var mantissa = microseconds >> UInt64(exponent)
        if mantissa << UInt64(exponent) != microseconds { mantissa += 1 }
        if mantissa >> UInt64(Self.mantissaBits) != 0 {
            mantissa >>= 1
            exponent += 1
        }
        guard exponent < 32 else {
            self = .unlimited
            return
        }
        rawValue = UInt16(exponent) << UInt16(Self.mantissaBits) | UInt16(mantissa)
    }

    /// Nanoseconds that are left; nil: there is no deadline.
    @inlinable
    public var nanoseconds: UInt64? {
        let mantissa = UInt64(rawValue) & (1 << UInt64(Self.mantissaBits) - 1)
        guard mantissa != 0 else { return nil }
        return (mantissa << UInt64(rawValue >> UInt16(Self.mantissaBits))) * 1000
    }
}

extension RemainingTime: CustomStringConvertible {
    /// Such as `1500 µs`; `unlimited` for no deadline.
    public var description: String { nanoseconds.map { "\($0 / 1000) µs" } ?? "unlimited" }
}
