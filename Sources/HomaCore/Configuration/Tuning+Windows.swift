// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Windows from round-trip times.
///
/// What the link carries in one round trip is what a sender must have leave to send, so that the link never idles for
/// want of a grant. The configured sizes are right for 10 Gb/s and more at the distances of a rack. Slower links need
/// less, and more would only queue; of a link whose rate is not known nothing is taken away. For longer ways the
/// window grows, but never the unscheduled bytes, which nobody can hold back.
extension Tuning {
    /// Packets also wait in hosts, for the rest of their train and for the thread that takes them. With it 10 Gb/s and
    /// 8 µs on the way need the 60 000 unscheduled bytes that are the default.
    private static var hostTime: UInt64 { 40_000 }
    /// As many round trips' worth may be on the way as messages are granted to by default; the kernel allows as much.
    private static var roundTrips: Int { 8 }
    /// A message alone has half of all that may be on the way: it needs a round trip's worth, and a quarter to spare.
    private static var share: Double { 2.5 }
    /// How far above the configured size the window may grow. More would not fit the receiving socket.
    static var largestGrowth: Int { 4 }
    private static var fewestPackets: Int { 20 }
    /// So many round trips of calls may be under way beyond the configured bytes: with half of it 3 % of a link of
    /// 10 Gb/s idled at a distance of 0.6 ms (WindowTests).
    private static var callRoundTrips: Int { 16 }
    /// Across a large site.
    private static var unknownRoundTrip: UInt64 { 540_000 }

    /// For peers with this round trip, in nanoseconds; nil: not known.
    @inline(__always)
    func limits(roundTrip: UInt64?) -> WindowLimits {
        guard adaptsWindows, let roundTrip else {
            return WindowLimits(incoming: maximumIncoming, increment: grantIncrement, oldest: fifoGrantIncrement)
        }
        let inFlight = bytes(in: roundTrip + Self.hostTime)
        let near = linkRate == nil ? maximumIncoming : min(Self.roundTrips * inFlight, maximumIncoming)
        let far = min(Int(Self.share * Double(bytes(in: roundTrip))), Self.largestGrowth * maximumIncoming)
        let incoming = max(near, far, Int(leastIncoming))
        return WindowLimits(
            incoming: incoming, increment: min(UInt32(incoming / (overcommitment + 2)), grantIncrement),
            oldest: linkRate == nil
                ? fifoGrantIncrement
                : UInt32(clamping: min(max(inFlight, 2 * Int(defaultSegment)), Int(fifoGrantIncrement))))
    }

    /// Never are fewer bytes granted to a peer, however slow the way from it.
    @inline(__always)
    var leastIncoming: UInt32 { UInt32(min(Self.fewestPackets * Int(defaultSegment), maximumIncoming)) }

    /// The limit for a peer of whose bytes so many may be on their way; `max`: none is needed.
    @inline(__always)
    func mostIncoming(_ bytes: UInt64) -> UInt32 {
        bytes < UInt64(Self.largestGrowth * maximumIncoming) ? max(UInt32(bytes), leastIncoming) : .max
    }

    /// Bytes of each message that go to a peer with this round trip without a grant; nil: not known.
    @inline(__always)
    func unscheduledBytes(roundTrip: UInt64?) -> UInt32 {
        guard adaptsWindows, linkRate != nil, let roundTrip else { return unscheduledBytes }
        let inFlight = bytes(in: roundTrip + Self.hostTime)
        return UInt32(clamping: min(max(inFlight, 2 * Int(defaultSegment)), Int(unscheduledBytes)))
    }

    /// Bytes that may be under way to a peer with this round trip beside those that are for a near one: messages of
    /// which all is sent, while the word that they have arrived is on its way back. A peer is taken for far until its
    /// round trip is known.
    @inline(__always)
    func bytesForDistance(roundTrip: UInt64?) -> UInt32 {
        guard adaptsWindows else { return 0 }
        // What hosts take is no distance.
        let way = max(roundTrip ?? Self.unknownRoundTrip, Self.hostTime) - Self.hostTime
        return UInt32(clamping: Self.callRoundTrips * bytes(in: way))
    }

    /// Whether a first grant comes later than the unscheduled bytes last. Then a message must be announced while the
    /// one before it is still being sent, or else the link idles between them.
    @inline(__always)
    func isFar(roundTrip: UInt64?, unscheduled: UInt32) -> Bool {
        guard adaptsWindows, let roundTrip else { return false }
        return bytes(in: roundTrip) > Int(unscheduled)
    }

    /// How long the link takes for so many bytes.
    @inline(__always)
    func nanoseconds(forBytes count: Int) -> UInt64 { assumedRate.nanoseconds(forBytes: count) }

    @inline(__always)
    private var assumedRate: BitRate { linkRate ?? .gigabitsPerSecond(10) }

    /// What the link carries in a time; at most what a window may ever be.
    @inline(__always)
    private func bytes(in nanoseconds: UInt64) -> Int {
        Int(min(Double(assumedRate.bitsPerSecond) / 8e9 * Double(nanoseconds), Double(1 << 32)))
    }
}
