// SPDX-License-Identifier: Apache-2.0

import HomaPosix

/// Why a lab could not be made, used or removed: one sentence that says what to do about it where that is known.
package struct LabError: Error, Equatable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

extension StopSignals {
    /// Throws when somebody has asked for the end.
    static func check() throws(LabError) {
        if flag.isRaised { throw LabError("interrupted") }
    }
}
