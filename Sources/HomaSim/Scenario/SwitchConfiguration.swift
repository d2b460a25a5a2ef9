// SPDX-License-Identifier: Apache-2.0

/// Who may fill a switch's buffer, and how far.
public enum BufferPolicy: Equatable, Sendable {
    /// Nothing is ever dropped for want of memory; `bufferBytes` is ignored.
    case unlimited
    /// One pool, first come, first served.
    case shared
    /// A queue takes a packet while it holds less than `alpha` times the free part of the pool (Choudhury and Hahne,
    /// *Dynamic Queue Length Thresholds for Shared-Memory Packet Switches*, 1998). 1/128 … 64.
    case dynamicThreshold(alpha: Double)
    /// Every port has its equal part for itself.
    case perPort
    /// Groups of so many neighbouring ports have a pool each, first come, first served within it.
    case groups(ports: Int)
}

/// One switch: its memory and the marks it sets.
public struct SwitchConfiguration: Equatable, Sendable {
    public var buffer: BufferPolicy
    /// All packet memory, reserves included. Nil: unlimited, whatever `buffer` says.
    public var bufferBytes: Int?
    /// Packets occupy whole cells of so many bytes. 1: exact. Range 1 … 4096.
    public var cellBytes: Int
    /// Set aside for each queue (port and priority) before anything is taken from the shared part.
    public var reservedBytesPerQueue: Int
    /// Packets of senders that understand it are marked when they find this many bytes in their output port. Nil: none.
    public var ecnThresholdBytes: Int?
    /// Droppable packets (sent without a grant, by transports that ask for it) are dropped when they find this many
    /// bytes in their output port. Nil: none are.
    public var selectiveDropThresholdBytes: Int?

    public init(
        buffer: BufferPolicy = .unlimited, bufferBytes: Int? = nil, cellBytes: Int = 1,
        reservedBytesPerQueue: Int = 0, ecnThresholdBytes: Int? = nil, selectiveDropThresholdBytes: Int? = nil
    ) {
        self.buffer = buffer
        self.bufferBytes = bufferBytes
        self.cellBytes = cellBytes
        self.reservedBytesPerQueue = reservedBytesPerQueue
        self.ecnThresholdBytes = ecnThresholdBytes
        self.selectiveDropThresholdBytes = selectiveDropThresholdBytes
    }

    /// True when memory can run out.
    public var isLimited: Bool { buffer != .unlimited && bufferBytes != nil }
}
