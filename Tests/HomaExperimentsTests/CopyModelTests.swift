// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct CopyModelTests {
    /// Nanoseconds on the wire at 25 Gb/s: 56 packets with 96 bytes beside the payload.
    private static let wire = (500_000.0 + 56 * 96) * 8 / 25

    private func goodput(_ mode: CopyModel.Mode, _ rate: Double, _ outstanding: Int) -> Double {
        CopyModel(mode: mode, copyGbps: rate, outstanding: outstanding).run()["goodput_gbps"]?.number ?? .nan
    }

    @Test func `one message after the other takes the time on the wire, the copy and a round trip`() {
        // 500 000 bytes at 10 Gb/s, 15 us of round trip.
        let nanoseconds = Self.wire + 400_000 + 15_000
        #expect(abs(goodput(.afterComplete, 10, 1) - 4_000_000 / nanoseconds) < 1e-6)
    }

    @Test func `copies as packets come cost the last packet's only, when the processor is fast`() {
        let last = 500_000.0 - 55 * 8972
        let nanoseconds = Self.wire + last * 8 / 100 + 15_000
        #expect(abs(goodput(.pipelined, 100, 1) - 4_000_000 / nanoseconds) < 1e-6)
    }

    @Test func `with many under way the slower of link and processor decides in both modes`() {
        for mode in CopyModel.Mode.allCases {
            #expect(abs(goodput(mode, 6, 8) - 6) < 0.01)
            #expect(abs(goodput(mode, 100, 8) - 4_000_000 / Self.wire) < 0.3)
        }
    }
}
