#if Tools
    import Foundation

    /// Brokers, files and links that the cases play in.
    struct DropInWorld: Sendable {
        /// Who runs a case: mosquitto's tool, the subcommand, the link. The names are of the same length.
        static let runners = ["runner-m", "runner-c", "runner-l"]

        let port: Int
        private let ports: [String: Int]
        private let folder: URL

        private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "CurlewTransportTests/Fixtures")

        static func run(_ body: (DropInWorld) async throws -> Void) async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            let closed = try await Broker.freePort()
            let fixtures = Self.fixtures.path
            let lines = [
                "allow_anonymous true", "max_queued_messages 0", "listener {port tls} 127.0.0.1",
                "cafile \(fixtures)/ca.pem",
                "certfile \(fixtures)/server.pem", "keyfile \(fixtures)/server.key.pem", "require_certificate true",
                "listener {port psk} 127.0.0.1", "psk_hint hint", "psk_file {folder}/psk",
            ]
            try await Broker.run(["allow_anonymous false"]) { guarded in
                try await Broker.run(lines, files: ["psk": "me:0aff0102\n"]) { broker in
                    let world = DropInWorld(
                        port: broker.port,
                        ports: broker.ports.merging(
                            ["closed": closed, "guarded": guarded.port, "port": broker.port]) { $1 },
                        folder: folder)
                    try await world.prepare()
                    try await body(world)
                }
            }
        }

        func program(_ tool: DropInCase.Tool) throws -> URL {
            guard let program = Broker.program(tool.rawValue) else { throw MissingBroker() }
            return program
        }

        func publish(_ topic: String, _ arguments: [String]) async throws {
            let publisher = try RunningCommand(
                try self.program(.publish), ["-p", "\(self.port)", "-t", topic, "-V", "5"] + arguments)
            guard await publisher.outcome().exitCode == 0 else { throw MissingBroker() }
        }

        /// Runs a case as one of ``runners``.
        func run(_ one: DropInCase, _ index: Int, runner: Int) async throws -> RunningCommand.Outcome {
            let who = Self.runners[runner]
            let fill = { (text: String) in
                var text = text.replacing("{topic}", with: "pub/\(index)/\(who)").replacing("{who}", with: who)
                text = text.replacing("{fixtures}", with: Self.fixtures.path).replacing("{folder}", with: folder.path)
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
            let environment = ["XDG_CONFIG_HOME": home.path, "TZ": "Europe/Berlin"]
            let server = one.hasServer || one.arguments.isEmpty && one.file == nil ? [] : ["-p", "\(self.port)"]
            let arguments = server + one.arguments.map(fill)
            let command: RunningCommand
            switch runner {
            case 0: command = try RunningCommand(try self.program(one.tool), arguments, environment)
            case 1: command = try .curlew([one.tool.subcommand] + arguments, environment: environment)
            default:
                command = try RunningCommand(
                    self.folder.appending(path: one.tool.rawValue), arguments, environment)
            }
            // A tool that has found a mistake is gone before it has read anything.
            try? command.write(one.input)
            try? command.endInput()
            // What hangs fails by itself, and names its case.
            let deadline = Task {
                try await Task.sleep(for: .seconds(30))
                command.send(SIGKILL)
            }
            defer { deadline.cancel() }
            return await command.outcome()
        }

        private func prepare() async throws {
            let authorities = self.folder.appending(path: "authorities")
            try FileManager.default.createDirectory(at: authorities, withIntermediateDirectories: true)
            // The name by which OpenSSL looks for the authority of the fixtures.
            let authority = Self.fixtures.appending(path: "ca.pem")
            if let openssl = Broker.program("openssl") {
                let hash = try RunningCommand(openssl, ["x509", "-in", authority.path, "-noout", "-hash"])
                let name = await hash.outcome().output.trimmingCharacters(in: .whitespacesAndNewlines)
                try FileManager.default.copyItem(at: authority, to: authorities.appending(path: "\(name).0"))
            }
            try Data("the file\n".utf8).write(to: self.folder.appending(path: "file"))
            try Data([0xFF, 0xFE, 0, 0x80]).write(to: self.folder.appending(path: "binary"))
            for tool in ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] {
                try FileManager.default.createSymbolicLink(
                    at: self.folder.appending(path: tool),
                    withDestinationURL: RunningCommand.products.appending(path: "curlew"))
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
