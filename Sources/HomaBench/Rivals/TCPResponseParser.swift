// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Takes the responses of one connection apart as their bytes come in, and checks every byte.
struct TCPResponseParser {
    private var prefix: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var prefixCount = 0
    private var length = 0
    private var position = 0
    private var intact = true

    /// Takes bytes of the response to `request`, at most to its end.
    ///
    /// Returns how many were taken, and at the end of a response whether it was right. A response of a wrong
    /// length is read to its own end, so that the next one can still be found.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, expecting request: PatternMessage
    ) -> (taken: Int, intact: Bool?) {
        let response = request.response
        var taken = 0
        if prefixCount < TCPFrame.prefixLength {
            taken = takePrefix(bytes)
            guard prefixCount == TCPFrame.prefixLength else { return (taken, nil) }
            length = withUnsafeBytes(of: prefix) { TCPFrame.readPrefix($0.baseAddress.unsafelyUnwrapped) }
            intact = length == response.length
        }
        let piece = UnsafeRawBufferPointer(rebasing: bytes[taken..<min(bytes.count, taken + length - position)])
        if intact, !piece.isEmpty {
            intact = MessagePattern.shared.matches(piece, at: position, of: response)
        }
        position += piece.count
        taken += piece.count
        guard position == length else { return (taken, nil) }
        prefixCount = 0
        position = 0
        return (taken, intact)
    }

    private mutating func takePrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = min(bytes.count, TCPFrame.prefixLength - prefixCount)
        withUnsafeMutableBytes(of: &prefix) { target in
            _ = memcpy(target.baseAddress.unsafelyUnwrapped + prefixCount, bytes.baseAddress.unsafelyUnwrapped, count)
        }
        prefixCount += count
        return count
    }
}
