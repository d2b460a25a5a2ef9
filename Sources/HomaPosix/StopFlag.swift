// SPDX-License-Identifier: Apache-2.0

public import Synchronization

/// Asks threads at work to come to an end; raised and read from any thread, and from a signal handler.
public final class StopFlag: Sendable {
    @usableFromInline
    let flag = Atomic<Bool>(false)

    public init() {}

    /// True from the first ``raise()`` on.
    @inlinable
    public var isRaised: Bool { flag.load(ordering: .relaxed) }

    /// Asks for the end. A second time changes nothing.
    @inlinable
    public func raise() { flag.store(true, ordering: .relaxed) }
}
