#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@Suite("Readiness, positional arguments and time limits", .timeLimit(.minutes(3)))
struct ReadinessTests {
    @Test("--ready-fd reports that the command is subscribed", arguments: ["sub a", "respond a -m b"])
    func ready(command: String) async throws {
        try await withLocalBroker { broker, port in
            let command = try Subprocess.script("exec curlew \(command) -p \(port) --ready-fd 3 3>&1")
            #expect(try await command.line() == "ready")
            // Once it is ready, it is subscribed.
            #expect(try await broker.publish("x", to: "a") == 1)
        }
    }

    @Test("A descriptor that is not open for writing is refused", arguments: ["9", "x", "-1"])
    func notOpen(number: String) async throws {
        let outcome = try await Subprocess.curlew("sub", "a", "--ready-fd", number).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("must be the number of a file descriptor that is open for writing"))
    }

    @Test("Topic and message can be given without options")
    func plainWords() async throws {
        try await withLocalBroker { _, port in
            let server = ["-p", "\(port)"]
            let subscriber = try Subprocess.script(
                "exec curlew sub 'home/#' -v -C 1 -p \(port) --ready-fd 3 3>&1")
            #expect(try await subscriber.line() == "ready")
            try await Subprocess.curlew(["pub", "home/lamp", "on"] + server).success()
            #expect(try await subscriber.success() == "ready\nhome/lamp on\n")
            let responder = try Subprocess.script("exec curlew respond svc/ping -m pong -p \(port) --ready-fd 3 3>&1")
            try await responder.line()
            #expect(
                try await Subprocess.curlew(["request", "svc/ping", "hi", "-W", "60"] + server).success() == "pong\n")
        }
    }

    @Test("The broker reports that clients can connect; a responder's reply may follow its topic")
    func readyBroker() async throws {
        let broker = try Subprocess.script("exec curlew broker -p 0 --ready-fd 3 3>&1 2>&1")
        let lines = [try await broker.line(), try await broker.line()]
        #expect(lines.contains("ready"))
        let port = try #require(lines.compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }.first)
        let server = ["-p", "\(port)"]
        let responder = try Subprocess.script("exec curlew respond svc/ping pong -p \(port) --ready-fd 3 3>&1")
        try await responder.line()
        #expect(
            try await Subprocess.curlew(["request", "svc/ping", "-3.5", "-W", "60"] + server).success() == "pong\n")
        // A negative number is not an option, and - means standard input.
        let subscriber = try Subprocess.script("exec curlew sub t -C 2 -p \(port) --ready-fd 3 3>&1")
        try await subscriber.line()
        try await Subprocess.curlew(["pub", "t", "-3.5"] + server).success()
        let piped = try Subprocess.curlew(["pub", "t", "-"] + server)
        try piped.write("from a pipe")
        try piped.endInput()
        try await piped.success()
        #expect(try await subscriber.success() == "ready\n-3.5\nfrom a pipe\n")
        responder.send(SIGINT)
        try await responder.success()
        broker.send(SIGTERM)
        try await broker.success()
    }

    @Test(
        "Ctrl-C before the work is done reports how much was done, with an exit code",
        arguments: ["sub t -C 5", "respond t x -C 5", "serve d Ping -C 5"])
    func interrupted(command: String) async throws {
        try await withLocalBroker { _, port in
            let process = try Subprocess.script("exec curlew \(command) -p \(port) --ready-fd 3 3>&1")
            try await process.line()
            process.send(SIGINT)
            let outcome = try await process.outcome()
            #expect(outcome.exitCode == 128 + SIGINT)
            #expect(outcome.errors.contains("0 of 5 "), "\(outcome.errors)")
        }
    }

    @Test("A limit on open files that is too low is reported")
    func fileLimit() async throws {
        let outcome = try await Subprocess.script("ulimit -n 20; exec curlew broker -p 0").outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("The limit of 20 open files is too low"))
    }

    @Test("If a broker does not answer, the next one is tried")
    func severalBrokers() async throws {
        try await withLocalBroker { broker, port in
            let closed = try await freePort()
            let messages = try await broker.subscribe(to: "t")
            for arguments in [
                ["-h", "127.0.0.1", "-p", "\(closed)", "-h", "127.0.0.1", "-p", "\(port)", "-t", "t"],
                ["mqtt://127.0.0.1:\(closed)/t", "mqtt://127.0.0.1:\(port)"],
            ] { try await Subprocess.curlew(["pub", "-m", "x", "-q", "1"] + arguments).success() }
            var iterator = messages.makeAsyncIterator()
            for _ in 0..<2 { #expect(await iterator.next()?.topic.string == "t") }
        }
    }

    @Test("A request without a reply ends after the time limit")
    func unansweredRequest() async throws {
        try await withLocalBroker { broker, port in
            let server = ["-p", "\(port)"]
            let nobody = try await Subprocess.curlew(["request", "svc", "x", "-W", "60"] + server).outcome()
            #expect(nobody.exitCode == 1)
            #expect(nobody.errors.contains("Nobody has subscribed"))
            let requests = try await broker.subscribe(to: "svc")
            let silent = try await Subprocess.curlew(["request", "svc", "x", "-C", "2"] + server).outcome()
            #expect(silent.exitCode == 27)
            #expect(
                silent.errors
                    == "curlew request: 0 of 2 replies received within 5 seconds; set another time limit with -W.\n")
            let short = try await Subprocess.curlew(["request", "svc", "x", "-W", "0.5"] + server).outcome()
            #expect(short.exitCode == 27)
            // On a busy machine, the time limit expires earlier: while connecting, or before the request is sent.
            let endings = [
                ": No reply received.", ": There is no connection to the broker.", ": The message was not sent.", ".",
            ]
            let beginning = "curlew request: The time limit of 0.5 seconds has expired"
            #expect(endings.contains { short.errors == "\(beginning)\($0)\n" }, "\(short.errors)")
            withExtendedLifetime(requests) {}
        }
    }

    @Test("bench sub -n ends when no more messages arrive, and reports how many are missing")
    func idleBenchmark() async throws {
        try await withLocalBroker { broker, port in
            let command = try Subprocess.curlew(
                "bench", "sub", "-t", "b/%d", "-n", "5", "--idle", "5", "-p", "\(port)")
            #expect(await command.hasSaid("Subscribed to b/+"))
            for _ in 0..<3 { try await broker.publish("x", to: "b/1") }
            let outcome = try await command.outcome()
            #expect(outcome.exitCode == 1)
            #expect(outcome.output.hasPrefix("3 messages in"))
            #expect(outcome.errors.contains("2 of 5 messages did not arrive; check the topic"))
        }
    }

    @Test("An unknown variable causes a warning")
    func unknownVariable() async throws {
        let outcome = try await Subprocess.curlew(["sub"], environment: ["CURLEW_HSOT": "x"]).outcome()
        #expect(
            outcome.errors.hasPrefix(
                "curlew sub: The environment variable CURLEW_HSOT is unknown and has no effect; did you mean CURLEW_HOST?\n"
            ))
    }
}
#endif
