#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@testable import CurlewCommand

@Suite("Time limits of the commands", .timeLimit(.minutes(3)))
struct PatienceTests {
    private func run(
        _ arguments: String, _ script: @escaping PacketServer.Script, input: String = ""
    ) async throws -> (outcome: Subprocess.Outcome, server: PacketServer) {
        let server = try await PacketServer.start(script)
        let command = try Subprocess.curlew(
            arguments.split(separator: " ").map(String.init) + ["-h", "127.0.0.1", "-p", "\(server.port)"])
        try command.write(input)
        try command.endInput()
        let outcome = try await command.outcome()
        await server.stop()
        return (outcome, server)
    }

    @Test(
        "A message that is never acknowledged, or whose broker vanishes, fails after 30 seconds",
        arguments: [
            ("pub -q 1 -t a -m b", false, 27), ("pub -q 2 -t a -m b", true, 7), ("pub -q 1 -t a -l", false, 27),
            ("pub -q 1 -t a -l", true, 7), ("sub -t a -E", false, 27),
        ] as [(String, Bool, Int32)])
    func unanswered(command: String, vanishes: Bool, exitCode: Int32) async throws {
        let (outcome, _) = try await self.run(
            command,
            { packet, _ in
                switch packet {
                case .publish: vanishes ? [.vanish] : []
                case .subscribe where !vanishes: []
                default: PacketServer.answer(to: packet)
                }
            }, input: command.contains("-l") ? "1\n2\n3\n" : "")
        #expect(outcome.exitCode == exitCode, "\(outcome.errors)")
        #expect(outcome.output == "")
        if vanishes { #expect(outcome.errors.contains("did not come back")) }
        if command.contains("-m b"), command.hasPrefix("pub") { #expect(outcome.errors.contains("unknown")) }
        if command.contains("-l") { #expect(outcome.errors.contains("3 of 3 lines read were not delivered")) }
    }

    @Test("Missing acknowledgements are noticed even if messages are rare and the window is never full")
    func slowLines() async throws {
        let server = try await PacketServer.start { packet, _ in
            if case .publish = packet { [] } else { PacketServer.answer(to: packet) }
        }
        var configuration = try MQTTConfiguration(url: "mqtt://127.0.0.1:\(server.port)")
        configuration.connection.acknowledgementTimeout = .milliseconds(50)
        let client = try MQTTClient(configuration)
        try await client.connect()
        let topic = try TopicName("t")
        var window = DeliveryWindow(client, qos: .atLeastOnce, retain: false, limit: .max)
        while await window.send(ByteBuffer(), to: topic) { await Task.yield() }
        #expect(window.isUnanswered)
        await client.disconnect(drain: .zero)
        await server.stop()
    }

    @Test("-W replaces the default time limit")
    func timeLimit() async throws {
        let (outcome, _) = try await self.run("pub -q 1 -t a -m b -W 2.5") { packet, _ in
            if case .publish = packet { [] } else { PacketServer.answer(to: packet) }
        }
        #expect(outcome.exitCode == 27)
        #expect(outcome.errors.contains("2.5 seconds") && outcome.errors.contains("unknown"))
    }

    @Test(
        "A refused reconnection ends the command with the reason",
        arguments: ["sub -t a", "respond -t a -m b", "pub -q 1 -t a -l", "pub -q 1 -t a -l -D publish content-type x"],
        [
            (ReasonCode.notAuthorized, 135), (.badUserNameOrPassword, 134), (.banned, 138), (.serverMoved, 157),
        ] as [(ReasonCode, Int32)])
    func refused(command: String, refusal: (ReasonCode, Int32)) async throws {
        let server = try await PacketServer.start { packet, connection in
            switch packet {
            case .connect where connection > 1: [.send(.connack(ConnAck(reasonCode: refusal.0))), .close]
            case .subscribe(let packet):
                [.send(.suback(SubAck(packet.packetID, [.grantedQoS0]))), .close]
            case .publish: [.close]
            default: PacketServer.answer(to: packet)
            }
        }
        let process = try Subprocess.curlew(
            command.split(separator: " ").map(String.init) + ["-h", "127.0.0.1", "-p", "\(server.port)"])
        try process.write("1\n")
        // One command has read all its lines by now; the other waits for more.
        if command.contains("-D") { try process.endInput() }
        let outcome = try await process.outcome()
        await server.stop()
        #expect(outcome.exitCode == refusal.1)
        #expect(outcome.errors.contains("refused the connection"))
        #expect(server.connections == 2 || refusal.0 == .serverMoved)
    }

    @Test("A broker that supports only 3.1.1 refuses with a return code of that version")
    func refusedBefore5() async throws {
        let (outcome, _) = try await self.run("pub -t a -m b") { packet, _ in
            guard case .connect(let connect) = packet else { return [] }
            return [.sendBytes([0x20, 2, 0, connect.version == .v5_0 ? 1 : 5]), .close]
        }
        #expect(outcome.exitCode == 5, "\(outcome.errors)")
    }

    @Test("After a temporary refusal, the command reports the reason and retries")
    func refusedForNow() async throws {
        let (outcome, server) = try await self.run("pub -q 1 -t a -m b") { packet, connection in
            switch packet {
            case .connect where connection == 2: [.send(.connack(ConnAck(reasonCode: .serverUnavailable))), .close]
            case .publish where connection == 1: [.close]
            default: PacketServer.answer(to: packet)
            }
        }
        #expect(outcome.exitCode == 0)
        #expect(server.connections == 3)
        #expect(outcome.errors.contains("Still reconnecting: The server refused the connection"))
        #expect(outcome.errors.contains("Reconnected."))
    }

    @Test("PUBACK completes a message at QoS 2, with a warning")
    func pubackAtQoS2() async throws {
        let (outcome, server) = try await self.run("pub -q 2 -t a -m b") { packet, _ in
            PacketServer.answer(to: packet)
        }
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors.contains("QoS 2 with PUBACK"))
        #expect(server.packets.count { if case .publish = $0 { true } else { false } } == 1)
    }

    @Test(
        "A command gives up if the broker keeps closing the connection because of a message or a subscription",
        arguments: ["pub -q 1 -t a -m b", "sub -t a"])
    func poison(command: String) async throws {
        let (outcome, server) = try await self.run(command) { packet, _ in
            switch packet {
            case .publish, .subscribe: [.close]
            default: PacketServer.answer(to: packet)
            }
        }
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("3 connections in a row"), "\(outcome.errors)")
        #expect(server.connections == 4)
    }

    @Test("A command gives up after five connections on which the broker violates the protocol")
    func violations() async throws {
        let (outcome, server) = try await self.run("sub -t a") { packet, _ in
            if case .subscribe(let packet) = packet {
                [
                    .send(.suback(SubAck(packet.packetID, [.grantedQoS0]))),
                    .sendBytes([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
                ]
            } else {
                PacketServer.answer(to: packet)
            }
        }
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("not MQTT"))
        #expect(server.connections == 5)
    }

    @Test(
        "An answer in another protocol is recognized",
        arguments: [
            (Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), "answers in HTTP"),
            ([0x15, 3, 1, 0, 2, 2, 70], "answers in TLS"),
        ] as [([UInt8], String)])
    func foreign(bytes: [UInt8], text: String) async throws {
        let (outcome, server) = try await self.run("pub -t a -m b") { _, _ in [.sendBytes(bytes), .close] }
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains(text) && !outcome.errors.contains("Reserved bits"), "\(outcome.errors)")
        #expect(server.connections == 1)
    }

    @Test("If a broker does not answer a 5.0 CONNECT, 3.1.1 is tried")
    func silent() async throws {
        let (outcome, _) = try await self.run("pub -t a -m b") { packet, _ in
            if case .connect(let connect) = packet, connect.version == .v5_0 {
                []
            } else {
                PacketServer.answer(to: packet)
            }
        }
        #expect(outcome == .init(exitCode: 0, output: "", errors: ""))
    }

    @Test("Called as mosquitto_pub, the command exits when it loses its connection")
    func dropIn() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let link = folder.appending(path: "mosquitto_pub")
        try FileManager.default.createSymbolicLink(
            at: link, withDestinationURL: Subprocess.products.appending(path: "curlew"))
        let server = try await PacketServer.start { packet, _ in
            if case .publish = packet { [.close] } else { PacketServer.answer(to: packet) }
        }
        let command = try Subprocess(
            link.path, ["-q", "1", "-t", "a", "-m", "b", "-h", "127.0.0.1", "-p", "\(server.port)"],
            environment: ["HOME": folder.path])
        let outcome = try await command.outcome()
        await server.stop()
        #expect(outcome.exitCode == 7, "\(outcome.errors)")
        #expect(server.connections == 1)
    }

    @Test("Each reason for an outage is reported once")
    func outage() {
        var outage = Outage()
        let lost = MQTTError(.connectionClosed, "It broke.")
        let refused = MQTTError(.connectionFailed, "Nobody is there.")
        #expect(outage.news(of: refused) == nil)
        #expect(outage.began(lost) == true)
        #expect(outage.news(of: lost) == "The connection was lost; reconnecting: It broke.")
        #expect(outage.news(of: lost) == nil)
        #expect(outage.news(of: refused) == "Still reconnecting: Nobody is there.")
        #expect(outage.news(of: refused) == nil)
        #expect(outage.ended() == true)
        #expect(outage.ended() == false)
    }

    @Test("Commands use the interactive reconnect policy; -W and mosquitto's names remove the limit on waiting")
    func settings() throws {
        func settings(_ arguments: String...) throws -> CommandSettings {
            let connection = try ConnectionOptions.parse(arguments)
            return try CommandSettings(
                connection, TLSOptions.parse([]), WillOptions.parse([]),
                environment: CommandEnvironment { $0 == "MQTT_RECONNECT" ? "true" : nil })
        }
        let usual = try settings()
        #expect(usual.configuration.reconnect == .interactive && usual.patience == .seconds(30))
        #expect(usual.configuration.connection.acknowledgementTimeout == .seconds(30))
        for other in [try settings("-W", "5"), try settings("--as-mosquitto")] {
            #expect(other.patience == nil && other.configuration.connection.acknowledgementTimeout == nil)
        }
    }
}
#endif
