// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import HomaBench

extension MessageFraming: ExpressibleByArgument {}

/// What messages begin with, for commands that make or answer them.
struct FramingOption: ParsableArguments {
    @Option(
        help: """
            What messages begin with: pattern, or cp-node (that of the kernel module's benchmark program, whose \
            messages have at least 12 bytes and whose responses are echoes, or 100 bytes). Both sides must agree.
            """)
    var framing: MessageFraming = .pattern

    /// It is the benchmark of Homa, so only Homa's messages have it.
    func check(for carrier: ProtocolChoice) throws {
        guard framing == .pattern || carrier == .homa else {
            throw ValidationError("--framing \(framing.rawValue) is for --protocol homa")
        }
    }
}
