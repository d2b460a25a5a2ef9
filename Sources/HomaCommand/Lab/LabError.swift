// SPDX-License-Identifier: Apache-2.0

/// Why a lab could not be made, used or removed: one sentence that says what to do about it where that is known.
struct LabError: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
