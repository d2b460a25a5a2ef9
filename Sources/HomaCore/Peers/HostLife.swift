// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// What tells one life of a host from its others, and from every other host: drawn anew whenever it starts, and the
/// same for all its shards.
public struct HostLife: Sendable, BitwiseCopyable {
    /// What it calls itself as a client; not 0.
    public let identity: UInt64
    /// Where its client ports begin, 0x8000 … 0xFFFF: an answer can only be made up by who knows the port.
    let firstClientPort: UInt16
    private let key: (UInt64, UInt64)

    public init(using random: inout some RandomNumberGenerator) {
        self.init(
            using: &random,
            firstClientPort: UInt16.random(in: HomaLimits.firstClientPort ... .max, using: &random))
    }

    /// The same from the same seed, with client ports from the lowest on.
    public init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.init(using: &random, firstClientPort: HomaLimits.firstClientPort)
    }

    private init(using random: inout some RandomNumberGenerator, firstClientPort: UInt16) {
        identity = UInt64.random(in: 1 ... .max, using: &random)
        key = (random.next(), random.next())
        self.firstClientPort = firstClientPort
    }

    /// What it gives to an address as a server, so that who gives it back shows that it can hear there, and in this
    /// life.
    func token(for address: PeerAddress) -> UInt32 {
        var hash = SipHash(key: key)
        hash.take(address.high)
        hash.take(address.low)
        hash.take(UInt64(address.port) << 32 | UInt64(address.scope))
        return UInt32(truncatingIfNeeded: hash.finish())
    }

    /// What tells the client ports towards an address from those towards others; the highest bit is 0.
    func portMask(for address: PeerAddress) -> UInt16 {
        var hash = SipHash(key: (key.1, key.0))
        hash.take(address.high)
        hash.take(address.low)
        hash.take(UInt64(address.port) << 32 | UInt64(address.scope))
        return UInt16(truncatingIfNeeded: hash.finish()) & 0x7FFF
    }

    /// What changes all tokens at once; 0 in the first epoch.
    func tokenMask(epoch: UInt32) -> UInt32 {
        guard epoch > 0 else { return 0 }
        var hash = SipHash(key: key)
        hash.take(UInt64(epoch))
        return UInt32(truncatingIfNeeded: hash.finish())
    }
}
