// SPDX-License-Identifier: Apache-2.0

/// Numbers that the protocol itself fixes. Everything tunable is configuration instead.
public enum HomaLimits {
    /// Longest message in bytes (HOMA_MAX_MESSAGE_LENGTH, HomaModule 9edb958).
    public static let maximumMessageLength = 1_000_000
    /// Network priority levels; 0 is the least urgent, 7 the most (HOMA_MAX_PRIORITIES).
    public static let priorityLevels = 8
    /// Most acknowledgements in one ACK packet (HOMA_MAX_ACKS_PER_PKT).
    public static let maximumAcksPerPacket = 5
    /// Ports from here on belong to clients; a server binds 1 … 0x7FFF.
    public static let firstClientPort: UInt16 = 0x8000
}
