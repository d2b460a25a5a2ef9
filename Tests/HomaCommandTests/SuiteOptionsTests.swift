// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaLab
import Testing

@testable import HomaCommand

@Suite("Options of the suite")
struct SuiteOptionsTests {
    private func parse(_ arguments: String...) throws -> BenchCommand {
        try #require(try HomaCommand.parseAsRoot(["bench"] + arguments) as? BenchCommand)
    }

    @Test("five runs, three when quick, and as many as are asked for")
    func runs() throws {
        #expect(try parse("--suite").suite.count == 5)
        #expect(try parse("--suite", "--quick").suite.count == 3)
        #expect(try parse("--suite", "--quick", "--runs", "7").suite.count == 7)
    }

    @Test("a server and the suite exclude each other, and one of them is needed")
    func server() throws {
        #expect(throws: (any Error).self) { try parse() }
        #expect(throws: (any Error).self) { try parse("127.0.0.1:4000", "--suite") }
        #expect(try parse("127.0.0.1:4000").suite.suite == false)
    }

    @Test("options of the suite without it, and values out of range, are refused")
    func refused() {
        for arguments in [
            ["127.0.0.1:4000", "--quick"], ["127.0.0.1:4000", "--write", "/tmp"], ["--suite", "--runs", "0"],
            ["--suite", "--write", "/nowhere/at/all"], ["--suite", "--write", "/etc/hostname"],
            ["--suite", "--slack", "0.5"], ["--suite", "--only", "nothing"],
            ["127.0.0.1:4000", "--write-each"], ["127.0.0.1:4000", "--longest", "0"],
        ] {
            #expect(throws: (any Error).self, "\(arguments)") {
                _ = try HomaCommand.parseAsRoot(["bench"] + arguments)
            }
        }
    }

    @Test("measures can be chosen by name")
    func only() throws {
        let suite = try parse("--suite", "--only", "core_ns_per_packet", "--only", "rpc_rate_vs_tcp").suite
        #expect(suite.measures == [.rateVsTCP, .core])
        #expect(try parse("--suite").suite.measures == SuiteMeasure.allCases)
    }
}
