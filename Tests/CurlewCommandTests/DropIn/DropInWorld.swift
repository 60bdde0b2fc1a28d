#if Tools
import Foundation
import MosquittoFixture

/// The brokers, files and links that the cases use.
struct DropInWorld: Sendable {
    /// The tools that run a case: mosquitto's tool, the subcommand, the link. The names have the same length.
    static let runners = ["runner-m", "runner-c", "runner-l"]

    let port: Int
    private let ports: [String: Int]
    private let folder: URL

    static func run(_ body: (DropInWorld) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let closed = try await freePort()
        let settings = Mosquitto.Settings(
            listeners: [.tcp, .mutualTLS, .preSharedKey], lines: ["psk_file {folder}/psk"],
            files: ["psk": "me:0aff0102\n"])
        try await Mosquitto.run(.init(listeners: [.tcp], allowsAnonymous: false)) { guarded in
            try await Mosquitto.run(settings) { broker in
                let ports = try [
                    "tls": broker.port(.mutualTLS), "psk": broker.port(.preSharedKey), "closed": closed,
                    "guarded": guarded.port(), "port": broker.port(),
                ]
                let world = DropInWorld(port: try broker.port(), ports: ports, folder: folder)
                try await world.prepare()
                try await body(world)
            }
        }
    }

    func publish(_ topic: String, _ arguments: [String]) async throws {
        try await Subprocess(
            "mosquitto_pub", ["-p", "\(self.port)", "-t", topic, "-V", "5"] + arguments
        ).success()
    }

    /// Runs a case as one of ``runners``.
    func run(_ one: DropInCase, _ index: Int, runner: Int) async throws -> Subprocess.Outcome {
        let who = Self.runners[runner]
        let fill = { (text: String) in
            var text = text.replacing("{topic}", with: "pub/\(index)/\(who)").replacing("{who}", with: who)
            text = text.replacing("{fixtures}", with: Peers.certificates).replacing("{folder}", with: folder.path)
            text = text.replacing("{jsons}", with: "\(DropInCase.jsons.count)")
            for (name, port) in self.ports { text = text.replacing("{\(name)}", with: "\(port)") }
            return text
        }
        let home = self.folder.appending(path: "home-\(index)-\(who)")
        if let file = one.file {
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            let name = runner == 1 ? "curlew" : one.tool.rawValue
            try Data(fill(file).utf8).write(to: home.appending(path: name))
        }
        let environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("MQTT_") && !$0.key.hasPrefix("CURLEW_") }
            .merging(["XDG_CONFIG_HOME": home.path, "TZ": "Europe/Berlin"]) { $1 }
        let server = one.hasServer || one.arguments.isEmpty && one.file == nil ? [] : ["-p", "\(self.port)"]
        // By its own name, the command sends requests at QoS 1, so that the broker can report that no responder is
        // subscribed.
        let own = runner == 1 && one.tool == .request && !one.arguments.contains("-q") ? ["-q", "0"] : []
        let arguments = server + own + one.arguments.map(fill)
        let command: Subprocess
        switch runner {
        case 0:
            command = try Subprocess(one.tool.rawValue, arguments, environment: environment, hasInput: true)
        case 1:
            command = try Subprocess(
                Subprocess.products.appending(path: "curlew").path, [one.tool.subcommand] + arguments,
                environment: environment, hasInput: true)
        default:
            command = try Subprocess(
                self.folder.appending(path: one.tool.rawValue).path, arguments, environment: environment,
                hasInput: true)
        }
        // A tool that finds an error exits before it reads any input.
        try? command.write(one.input)
        try? command.endInput()
        // A case that hangs is killed, and then fails by name.
        let deadline = Task {
            try await Task.sleep(for: .seconds(120))
            command.send(SIGKILL)
        }
        defer { deadline.cancel() }
        return try await command.outcome()
    }

    private func prepare() async throws {
        let authorities = self.folder.appending(path: "authorities")
        try FileManager.default.createDirectory(at: authorities, withIntermediateDirectories: true)
        // The name under which OpenSSL looks for the fixtures' CA.
        let authority = "\(Peers.certificates)/ca.pem"
        let hash = try await Subprocess("openssl", ["x509", "-in", authority, "-noout", "-hash"]).success()
        let name = hash.trimmingCharacters(in: .whitespacesAndNewlines)
        try FileManager.default.copyItem(
            atPath: authority, toPath: authorities.appending(path: "\(name).0").path)
        try Data("the file\n".utf8).write(to: self.folder.appending(path: "file"))
        try Data([0xFF, 0xFE, 0, 0x80]).write(to: self.folder.appending(path: "binary"))
        for tool in ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] {
            try FileManager.default.createSymbolicLink(
                at: self.folder.appending(path: tool),
                withDestinationURL: Subprocess.products.appending(path: "curlew"))
        }
        let properties = [
            "content-type text/plain", "response-topic r/t", "correlation-data c1", "user-property k v",
            "user-property k2 v2", "payload-format-indicator 1",
        ].flatMap { ["-D", "publish"] + $0.split(separator: " ").map(String.init) }
        let retained = ["-r", "-q", "2"]
        try await self.publish("s/text", retained + ["-m", "hello"] + properties)
        try await self.publish(
            "s/expiring", retained + ["-m", "x", "-D", "publish", "message-expiry-interval", "900"])
        for name in ["a", "b", "c"] { try await self.publish("s/tree/\(name)", retained + ["-m", name]) }
        for (index, json) in DropInCase.jsons.enumerated() {
            try await self.publish("json/\(100 + index)", retained + ["-m", json])
        }
        try await self.publish("bytes/binary", retained + ["-f", self.folder.appending(path: "binary").path])
        try await self.publish("bytes/control", retained + ["-m", "a\tb\n\u{1}\u{7F}\"/\\"])
        try await self.publish("bytes/utf8", retained + ["-m", "é😀"])
        try await self.publish("pub/ready", retained + ["-m", "x"])
    }
}
#endif
