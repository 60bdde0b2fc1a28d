#if Tools
import Curlew
import CurlewBroker
import CurlewCore
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@testable import CurlewCommand

@Suite("Interrupted commands", .timeLimit(.minutes(3)))
struct InterruptionTests {
    @Test("The summary accounts for every line that was read")
    func lines() {
        func message(_ tally: DeliveryTally, isCut: Bool) -> String? {
            tally.failure(of: .atLeastOnce, isCut: isCut)?.message
        }
        #expect(message(DeliveryTally(delivered: 2), isCut: false) == nil)
        #expect(
            message(DeliveryTally(delivered: 2), isCut: true)
                == "All 2 lines read were delivered; more may have followed.")
        #expect(
            message(DeliveryTally(delivered: 2, unknown: 3, notSent: 4), isCut: true)
                == "7 of 9 lines read were not delivered: 2 acknowledged, 3 sent but not acknowledged, so their "
                + "outcome is unknown, 4 not sent; more may have followed.")
        let refused = MQTTError(.publishRefused, "The server refused the message.", reasonCode: .notAuthorized)
        #expect(
            message(DeliveryTally(delivered: 1, refused: 1, firstError: refused), isCut: false)
                == "1 of 2 lines read were not delivered: 1 acknowledged, 1 refused. Reason for the first: The server refused the "
                + "message [not authorized (0x87)].")
    }

    @Test("An interrupted pub -l reports the outcome of every line that it has read")
    func publish() async throws {
        try await withLocalBroker { broker, port in
            let publisher = try Subprocess.curlew("pub", "-p", "\(port)", "-t", "t", "-l", "-q", "1")
            let messages = try await broker.subscribe(to: "t")
            try publisher.write("one\ntwo\nthr")
            var iterator = messages.makeAsyncIterator()
            for text in ["one", "two"] {
                #expect(await iterator.next().map { String(buffer: $0.payload) } == text)
            }
            publisher.send(SIGINT)
            let outcome = try await publisher.outcome()
            #expect(outcome.exitCode == 128 + SIGINT)
            #expect(
                outcome.errors
                    == "curlew pub: 1 of 3 lines read were not delivered: 2 acknowledged, 1 not sent; more may have followed.\n"
            )
        }
    }

    @Test(
        "An interrupted command reports what it has not done",
        arguments: [
            ("pub -t t -s", "The message was not sent; standard input was not read to its end."),
            ("pub -t t -m x -q 1 --repeat 2 --repeat-delay 1000", "1 of 2 messages were delivered."),
            ("request -t t x -q 0 -W 1000", "No reply received."),
        ])
    func others(command: String, message: String) async throws {
        try await withLocalBroker { broker, port in
            let messages = try await broker.subscribe(to: "t")
            let process = try Subprocess.curlew(
                command.split(separator: " ").map(String.init) + ["-p", "\(port)", "-d"])
            if command.contains("-s") {
                // More than a pipe holds, so the command has begun to read.
                try process.write(String(repeating: "x", count: 200_000))
            } else {
                var iterator = messages.makeAsyncIterator()
                _ = await iterator.next()
                if command.contains("-q 1") { #expect(await process.hasSaid("received PUBACK")) }
            }
            process.send(SIGTERM)
            let outcome = try await process.outcome()
            #expect(outcome.exitCode == 128 + SIGTERM)
            // The signal may arrive before the command has noticed the acknowledgement that it received.
            let unnoticed = message.hasPrefix("1 of 2") ? "the outcome of the next one is unknown" : message
            #expect(
                outcome.errors.hasSuffix(": \(message)\n") || outcome.errors.contains(unnoticed), "\(outcome.errors)")
        }
    }

    #if os(Linux)
    @Test(
        "A subscriber whose output nobody reads uses limited memory and reports unwritten messages when interrupted",
        arguments: ["%t", "%p", "%P"])
    func slowPipe(format: String) async throws {
        try await withLocalBroker { broker, port in
            try await withTemporaryFolder { folder in
                let path = Subprocess.products.appending(path: "curlew").path
                try await Subprocess.script("mkfifo '\(folder)/pipe'").success()
                // A separate process: as a child of the subscriber, it would hide the subscriber's exit.
                let reader = try Subprocess.script("exec sleep 1000 <'\(folder)/pipe'")
                defer { reader.send(SIGKILL) }
                let subscriber = try Subprocess.script(
                    """
                    echo $$
                    exec '\(path)' sub -p \(port) -t t -F '\(format)' --ready-fd 3 3>&1 >'\(folder)/pipe'
                    """)
                let process = try #require(Int32(try await subscriber.line()))
                #expect(try await subscriber.line() == "ready")
                let before = try #require(Self.residentBytes(process))
                let client = try MQTTClient("mqtt://127.0.0.1:\(port)")
                try await client.connect()
                var properties = Properties()
                if format == "%P" {
                    properties.userProperties = Array(repeating: UserProperty("", ""), count: 500)
                }
                let payload = ByteBuffer(repeating: 0x61, count: format == "%P" ? 1 : 65_536)
                var most = 0
                for number in 0..<3000 {
                    try await client.publish(payload, to: "t", properties: properties)
                    if number % 100 == 0 { most = max(most, Self.residentBytes(process) ?? 0) }
                }
                try await client.publish("", to: "end", qos: .atLeastOnce)
                most = max(most, Self.residentBytes(process) ?? 0)
                await client.disconnect()
                #expect(most - before < 64 << 20)
                subscriber.send(SIGINT)
                let outcome = try await subscriber.outcome()
                // Topics without payloads fit into the pipe, so nothing is left unwritten.
                guard format != "%t" else { return }
                #expect(outcome.exitCode == 128 + SIGINT)
                #expect(outcome.errors.contains("received but not written: nobody reads standard output."))
            }
        }
    }

    private static func residentBytes(_ process: Int32) -> Int? {
        let text = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
        return text?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
    }
    #endif
}
#endif
