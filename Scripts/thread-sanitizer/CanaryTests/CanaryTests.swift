// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

/// What Scripts/thread-sanitizer.sh runs first: if this passes, the sanitizer sees nothing.
@Suite("Canary")
struct CanaryTests {
    @Test("a race is reported")
    func race() {
        let word = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        word.initialize(to: 0)
        var threads: [pthread_t] = []
        for _ in 0..<2 {
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { word in
                    word?.assumingMemoryBound(to: Int.self).pointee += 1
                    return nil
                }, word)
            if code == 0 { threads.append(thread) }
        }
        for thread in threads { pthread_join(thread, nil) }
        #expect(threads.count == 2)
        word.deallocate()
    }
}
