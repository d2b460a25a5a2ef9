// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Tells a spinning thread to end.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isRaised: Bool { flag.load(ordering: .relaxed) }
    func raise() { flag.store(true, ordering: .relaxed) }
}
