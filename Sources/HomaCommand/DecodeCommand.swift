// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaCapture
import HomaPosix

struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Print the Homa packets of a capture file, one line each.",
        discussion: """
            Reads pcap and pcapng, as tcpdump and Wireshark write them, and finds Homa over UDP (whatever the port), \
            as IP protocol 146 and in hijacked TCP headers, over IPv4 and IPv6, on Ethernet with or without VLANs, the \
            "any" device, loopback or raw IP. A line has the time since the first frame, the addresses, what the \
            packet was in, its priority (p7 is the highest) and what it says, with the words of docs/protocol.md.

            Example: tcpdump -i eth0 -w - 'udp port 4000 or ip proto 146' | homa decode -
            """)

    @Argument(help: "The file; - for standard input, which is read to its end first.")
    var file: String

    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        try orCannotRun {
            let data = try read()
            try data.withUnsafeBytes { try decode($0) }
        }
    }

    private func read() throws -> Data {
        do {
            if file == "-" { return try FileHandle.standardInput.readToEnd() ?? Data() }
            return try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
        } catch {
            throw CommandError("\(file) cannot be read: \(error.localizedDescription)")
        }
    }

    private func decode(_ bytes: UnsafeRawBufferPointer) throws {
        var (finder, frames, packets) = (PacketFinder(), 0, 0)
        var start: UInt64?
        do {
            var capture = try CaptureFile(bytes)
            while let frame = try capture.next() {
                frames += 1
                let origin = start ?? frame.nanoseconds
                start = origin
                for packet in finder.packets(in: frame) {
                    packets += 1
                    try say(json ? packet.jsonLine(frame: frame) : packet.line(frame: frame, since: origin))
                }
            }
        } catch let error as CaptureError {
            throw CommandError("\(file): \(error)")
        }
        let unreadable = finder.unreadableFrames > 0 ? ", \(finder.unreadableFrames) not whole" : ""
        note("\(packets) Homa packets in \(frames) frames; \(finder.foreignFrames) frames held none\(unreadable)")
    }
}
