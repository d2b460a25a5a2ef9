// SPDX-License-Identifier: Apache-2.0

package import HomaBase

/// An emulated network as its user asks for it: hosts around one switch.
package struct LabDescription: Codable, Equatable, Sendable {
    /// How much a switch queue holds before it drops.
    package enum QueueBound: Codable, Equatable, Sendable, CustomStringConvertible {
        case bytes(Int)
        case packets(Int)

        package var description: String {
            switch self {
            case .bytes(let count): "\(count) bytes"
            case .packets(let count): "\(count) packets"
            }
        }
    }

    /// Part of the names of everything that is made.
    package var name = "lab"
    package var hosts = 3
    /// Rate of every link, in each direction.
    package var bitsPerSecond: UInt64 = 200_000_000
    /// Packets lost at random in the switch, in ten-thousandths of all.
    package var lossTenThousandths = 0
    /// Of each of the eight queues of each switch port.
    package var queue = QueueBound.bytes(250_000)
    /// Longest IP packet in bytes.
    package var mtu = 1500
    /// Whether the kernel may hand trains of packets through the switch in one piece.
    package var offloads = false

    package init(
        name: String = "lab", hosts: Int = 3, bitsPerSecond: UInt64 = 200_000_000, lossTenThousandths: Int = 0,
        queue: QueueBound = QueueBound.bytes(250_000), mtu: Int = 1500, offloads: Bool = false
    ) {
        self.name = name
        self.hosts = hosts
        self.bitsPerSecond = bitsPerSecond
        self.lossTenThousandths = lossTenThousandths
        self.queue = queue
        self.mtu = mtu
        self.offloads = offloads
    }

    package var rate: BitRate { BitRate(bitsPerSecond: bitsPerSecond) }

    /// The description, or an error that names the first value out of range and its limits.
    package func validated() throws(LabError) -> LabDescription {
        try Self.check(name: name)
        try check("--hosts", hosts, 2...32)
        try check("--rate (bits per second)", Int(clamping: bitsPerSecond), 1_000_000...10_000_000_000)
        try check("--loss (ten-thousandths)", lossTenThousandths, 0...10_000)
        try check("--mtu", mtu, 1280...9000)
        switch queue {
        case .bytes(let count): try check("--queue-bytes", count, 2 * (mtu + 14)...1_000_000_000)
        case .packets(let count): try check("--queue-packets", count, 2...1_000_000)
        }
        return self
    }

    /// A name goes into names of namespaces and of a file, so it may hold nothing that means anything there.
    package static func check(name: String) throws(LabError) {
        let allowed = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
        guard allowed, (1...16).contains(name.utf8.count), name.first != "-" else {
            throw LabError("--name '\(name)': must be 1 … 16 of a … z, 0 … 9 and '-', not beginning with '-'")
        }
    }

    private func check(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws(LabError) {
        guard range.contains(value) else {
            throw LabError("\(option) is \(value), but must be \(range.lowerBound) … \(range.upperBound)")
        }
    }
}
