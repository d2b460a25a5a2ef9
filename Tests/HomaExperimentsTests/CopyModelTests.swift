// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaExperiments

@Suite struct CopyModelTests {
    private func goodput(_ mode: CopyModel.Mode, _ rate: Double, _ outstanding: Int) -> Double {
        CopyModel(mode: mode, copyGbps: rate, outstanding: outstanding).run()["goodput_gbps"]?.number ?? .nan
    }

    @Test func `one message after the other takes the time on the wire, the copy and a round trip`() {
        // 56 packets: 500 000 + 56 * 96 bytes at 25 Gb/s, 500 000 at 10 Gb/s, 15 us.
        let nanoseconds = (500_000 + 56 * 96.0) * 8 / 25 + 500_000 * 8 / 10.0 + 15_000
        #expect(abs(goodput(.afterComplete, 10, 1) - 4_000_000 / nanoseconds) < 1e-6)
    }

    @Test func `copies as packets come cost the last packet's only, when the processor is fast`() {
        let last = 500_000 - 55 * 8972.0
        let nanoseconds = (500_000 + 56 * 96.0) * 8 / 25 + last * 8 / 100 + 15_000
        #expect(abs(goodput(.pipelined, 100, 1) - 4_000_000 / nanoseconds) < 1e-6)
    }

    @Test func `with many under way the slower of link and processor decides in both modes`() {
        for mode in CopyModel.Mode.allCases {
            #expect(abs(goodput(mode, 6, 8) - 6) < 0.01)
            #expect(abs(goodput(mode, 100, 8) - 25 * 500_000 / (500_000 + 56 * 96)) < 0.3)
        }
    }
}
