// SPDX-License-Identifier: Apache-2.0

/// A switching chip one can buy, with the figures that decide how much buffer a transport may use.
///
/// Decimal megabytes; vendors and measurements differ by about 5 %. Sources as named: Jim Warner's list of
/// packet buffers (people.ucsc.edu/~warner/buffer.html), the list of port buffers at
/// port-buffers.forwardingplane.net, vendors' pages, and the ATC 2021 paper on Homa/Linux.
public struct SwitchChip: Equatable, Sendable {
    /// What scenarios call it.
    public var name: String
    /// Sum of all ports, one direction.
    public var terabitsPerSecond: Double
    /// Packet memory in millions of bytes.
    public var megabytes: Double
    /// Where the figures come from, and what else is to be known.
    public var source: String

    /// Packet memory in microseconds of the chip's bandwidth: bytes × 8 ÷ bits per second.
    public var microseconds: Double { megabytes * 8 / terabitsPerSecond }

    /// Packet memory in bytes.
    public var bufferBytes: Int { Int((megabytes * 1e6).rounded()) }

    /// The chip of that name, upper and lower case alike; nil when it is not in ``all``.
    public static func named(_ name: String) -> SwitchChip? {
        all.first { $0.name == name.lowercased() }
    }

    /// Every chip known here, by family and age.
    public static let all: [SwitchChip] = [
        chip("trident+", 0.64, 9, "Warner: 46 080 cells of 208 B, 5 MB at most per port"),
        chip("trident2", 1.28, 12, "Warner: 6.7 to 8 MB at most per port"),
        chip("trident2+", 1.28, 16, "Warner"),
        chip("trident3-x7", 3.2, 32, "port-buffers list: cells of 256 B"),
        chip("trident4-x9", 8, 82, "Broadcom"),
        chip("trident4-x11", 12.8, 132, "Broadcom"),
        chip("tomahawk", 3.2, 16, "Warner: four pools of 4 MB"),
        chip("tomahawk2", 6.4, 42, "port-buffers list"),
        chip("tomahawk3", 12.8, 64, "port-buffers list"),
        chip("tomahawk4", 25.6, 114, "Broadcom, approximate"),
        chip("tomahawk5", 51.2, 165, "Broadcom, approximate"),
        chip("spectrum", 3.2, 16, "Nvidia: fully shared"),
        chip("sn2410", 2, 13.2, "ATC 2021: Spectrum with 13.2 MB usable, all 48 ports of 25 Gb/s and 8 of 100 Gb/s"),
        chip("spectrum2", 6.4, 42, "Nvidia"),
        chip("spectrum3", 12.8, 64, "Nvidia"),
        chip("spectrum4", 51.2, 160, "Nvidia; one page says 128"),
        chip("xpliant", 3.2, 24, "port-buffers list: Cavium"),
    ]

    private static func chip(_ name: String, _ terabits: Double, _ megabytes: Double, _ source: String) -> SwitchChip {
        SwitchChip(name: name, terabitsPerSecond: terabits, megabytes: megabytes, source: source)
    }
}
