import Curlew
import Foundation
import MosquittoFixture
import NIOCore
import Testing

/// A real proxy that a test starts.
private enum ProxyProgram: String, CaseIterable, CustomTestStringConvertible {
    /// HTTP, with CONNECT.
    case tinyproxy
    /// SOCKS 5.
    case microsocks

    var testDescription: String { self.rawValue }

    static let areInstalled =
        Peers.areRequired || Self.allCases.allSatisfy { Subprocess.find($0.rawValue) != nil }

    private static let username = "gate"
    private static let password = "opensesame"

    /// Starts the proxy on a free port, and returns how to use it.
    func start(_ broker: Mosquitto, needsLogin: Bool) async throws -> ProxySettings {
        for _ in 0..<20 {
            let port = Mosquitto.nextPort()
            let process: Subprocess
            switch self {
            case .tinyproxy:
                var lines = ["Port \(port)", "Listen 127.0.0.1", "Timeout 600", "Allow 127.0.0.1", "LogLevel Info"]
                if needsLogin { lines.append("BasicAuth \(Self.username) \(Self.password)") }
                let file = try broker.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: "tinyproxy.conf")
                process = try broker.start("tinyproxy", ["-d", "-c", file])
            case .microsocks:
                let login = needsLogin ? ["-u", Self.username, "-P", Self.password] : []
                process = try broker.start("microsocks", ["-i", "127.0.0.1", "-p", "\(port)"] + login)
            }
            guard await Self.isReady(process, port) else { continue }
            var proxy = ProxySettings(self == .tinyproxy ? .http : .socks5h, host: "127.0.0.1", port: port)
            if needsLogin { (proxy.username, proxy.password) = (Self.username, Self.password) }
            return proxy
        }
        throw TestFailure("\(self) did not start")
    }

    /// Waits until the port accepts connections; `false` if the program ended first.
    private static func isReady(_ process: Subprocess, _ port: Int) async -> Bool {
        while process.isRunning {
            var configuration = MQTTConfiguration(server: .mqtt("127.0.0.1", port: port))
            configuration.reconnect.isEnabled = false
            configuration.connection.handshakeTimeout = .seconds(1)
            guard let client = try? MQTTClient(configuration) else { return false }
            // Any answer will do, except that nobody listens: then the program has not started yet.
            do { try await client.connect() } catch {
                let cause = (error as? MQTTError)?.cause as? TransportError
                if cause?.code != .connectionRefused { return process.isRunning }
            }
        }
        return false
    }
}

@Suite(
    "Connections through real proxies",
    .enabled(
        if: ProxyProgram.areInstalled && !BrokerProgram.available.isEmpty,
        "tinyproxy and microsocks are not installed; scripts/test installs them"),
    .timeLimit(.minutes(5)))
struct ProxyTests {
    @Test(
        "Messages of each version and QoS arrive over TCP, TLS and WebSocket",
        arguments: ProxyProgram.allCases, [Mosquitto.Listener.tcp, .tls, .webSocket])
    fileprivate func messages(_ program: ProxyProgram, _ listener: Mosquitto.Listener) async throws {
        let broker = BrokerProgram.available.last ?? .mosquitto
        try await Mosquitto.run(.init(listeners: listener == .tcp ? [.tcp] : [.tcp, listener]), on: broker) { broker in
            let proxy = try await program.start(broker, needsLogin: true)
            for version in ProtocolVersion.allCases {
                let client = try await broker.connect(Setup(listener: listener, version: version)) { $0.proxy = proxy }
                let inbox = Inbox(try await client.subscribe(to: "t", options: .init(qos: .exactlyOnce)))
                for (qos, size) in [(QoS.atMostOnce, 10), (.atLeastOnce, 70_000), (.exactlyOnce, 900_000)] {
                    let payload = ByteBuffer(repeating: 7, count: size)
                    try await client.publish(payload, to: "t", qos: qos)
                    #expect(try await inbox.next().payload == payload)
                }
                await client.disconnect()
            }
        }
    }

    @Test("Wrong credentials and a missing broker are told apart", arguments: ProxyProgram.allCases)
    fileprivate func failures(_ program: ProxyProgram) async throws {
        try await Mosquitto.run(on: BrokerProgram.available.last ?? .mosquitto) { broker in
            var proxy = try await program.start(broker, needsLogin: true)
            func message(_ change: (inout MQTTConfiguration) -> Void = { _ in }) async throws -> String {
                let client = try broker.client(Setup(listener: .tcp, version: .v5_0)) {
                    $0.reconnect.isEnabled = false
                    $0.proxy = proxy
                    change(&$0)
                }
                return try await errorOf { try await client.connect() }.message
            }
            let absent = try await message { $0.servers = [.mqtt("127.0.0.1", port: 1)] }
            #expect(
                absent.contains("refused the connection; is the broker") || absent.contains("could not connect"),
                "\(absent)")
            proxy.password = "wrong"
            let refused = try await message()
            #expect(refused.contains("rejected the user name or the password"), "\(refused)")
            (proxy.username, proxy.password) = (nil, nil)
            let missing = try await message()
            #expect(missing.contains("requires a user name and a password"), "\(missing)")
        }
    }
}
