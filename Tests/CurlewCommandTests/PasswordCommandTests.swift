#if Tools && Accounts
import CurlewBroker
import Foundation
import MosquittoFixture
import NIOCore
import Testing

@Suite("curlew passwd", .timeLimit(.minutes(5)))
struct PasswordCommandTests {
    typealias Outcome = Subprocess.Outcome

    /// Creates a folder that is deleted at the end of the test.
    private func withFolder(_ test: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await test(folder)
    }

    private func run(_ arguments: String..., input: String = "") async throws -> Outcome {
        let command = try Subprocess.curlew(["passwd"] + arguments)
        try? command.write(input)
        try command.endInput()
        return try await command.outcome()
    }

    private static let success = Outcome(exitCode: 0, output: "", errors: "")

    private func failure(_ message: String) -> Outcome {
        Outcome(exitCode: 1, output: "", errors: "curlew passwd: \(message)\n")
    }

    private func permissions(_ file: URL) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
    }

    private func isLetIn(_ user: String, _ password: String, by file: URL) async throws -> Bool {
        let attempt = MQTTConnectionAttempt(
            client: MQTTBrokerClient(identifier: "c", username: user), password: MQTTPassword(password))
        return try await MQTTPasswordFile(path: file.path).authenticate(attempt) == .allow
    }

    @Test(
        "A new file is readable only by its owner; users are added, changed and deleted; a pipe can supply the password"
    )
    func life() async throws {
        try await self.withFolder { (folder: URL) async throws in
            let file = folder.appending(path: "users")
            #expect(try await self.run("-c", file.path, "alice", input: "one\n") == Self.success)
            #expect(try self.permissions(file) == 0o600)
            #expect(try await self.run("-b", "-I", "7", file.path, "bob", "two") == Self.success)
            #expect(try String(contentsOf: file, encoding: .utf8).contains("\nbob:$7$7$"))
            #expect(try await self.isLetIn("alice", "one", by: file))
            #expect(try await self.isLetIn("bob", "two", by: file))
            #expect(try await self.run("-b", file.path, "alice", "--", "-three") == Self.success)
            #expect(try await self.isLetIn("alice", "-three", by: file))
            #expect(try await self.run("-D", file.path, "alice") == Self.success)
            #expect(try await !self.isLetIn("alice", "-three", by: file))
            #expect(
                try await self.run("-D", file.path, "alice")
                    == self.failure("There is no user 'alice' in '\(file.path)'; nothing was changed."))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["users"])
        }
    }

    @Test("A changed file keeps its group's read permission and its link, but no permissions for others")
    func replacing() async throws {
        try await self.withFolder { folder in
            let (file, link) = (folder.appending(path: "users"), folder.appending(path: "link"))
            try Data("# people\n".utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
            let outcome = try await self.run("-b", link.path, "alice", "one")
            #expect(outcome.exitCode == 0)
            #expect(
                outcome.errors
                    == "curlew passwd: '\(link.path)' can now be read only by its owner and group; the broker must run as one of them.\n"
            )
            #expect(try self.permissions(file) == 0o640)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == file.path)
            #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("# people\nalice:$7$"))
        }
    }

    @Test("-U hashes plain-text passwords, and reports a line that it cannot parse")
    func upgrade() async throws {
        try await self.withFolder { folder in
            let file = folder.appending(path: "users")
            try Data("alice:one\nbob:two\n".utf8).write(to: file)
            #expect(try await self.run("-U", "-I", "5", file.path).exitCode == 0)
            #expect(try await self.isLetIn("bob", "two", by: file))
            let upgraded = try Data(contentsOf: file)
            #expect(try await self.run("-U", file.path) == Self.success)
            #expect(try Data(contentsOf: file) == upgraded)
            try Data("alice:one\nbob\n".utf8).write(to: file)
            #expect(
                try await self.run("-U", file.path)
                    == self.failure(
                        "The password file '\(file.path)', line 2: there is no ':' after a user name; correct or remove the line."
                    ))
        }
    }

    @Test("An error is reported in one sentence, and nothing is changed")
    func refusals() async throws {
        try await self.withFolder { folder in
            let (file, missing) = (folder.appending(path: "users"), folder.appending(path: "missing").path)
            try Data("# people\n".utf8).write(to: file)
            let usage = "; see 'curlew passwd --help'."
            let cases: [([String], String)] = [
                (["-b", missing, "a", "x"], "The file '\(missing)' does not exist; create it with -c."),
                (["-b", file.path, "a:b", "x"], "A user name cannot contain ':', which ends it in the file."),
                (["-b", file.path, "a", ""], "The password is empty; nothing was changed."),
                ([file.path, "a"], "The password is empty; nothing was changed."),
                (["-b", folder.path, "a", "x"], "The file '\(folder.path)' cannot be read: Is a directory."),
                ([file.path], "The user name is missing; give it after the file\(usage)"),
                (
                    [file.path, "a", "x"],
                    "A password on the command line needs -b; without -b, you are asked for it\(usage)"
                ),
                (["-b", file.path, "a"], "The password is missing; with -b, give it after the user name\(usage)"),
                (["-c", "-D", file.path, "a"], "-c and -D exclude each other; leave one of them out\(usage)"),
                (["-U", file.path, "a"], "-U takes only a file; leave out everything else except -I\(usage)"),
                (["-D", "-b", file.path, "a"], "-D needs no password; leave out -b, -I and the password\(usage)"),
                (
                    ["-H", "sha512", file.path, "a"],
                    "-H sha512 is read but not written, because it is quick to attack; leave it out\(usage)"
                ),
            ]
            for (arguments, message) in cases {
                let command = try Subprocess.curlew(["passwd"] + arguments)
                try command.endInput()
                #expect(try await command.outcome() == self.failure(message), "\(arguments)")
            }
            let outcome = try await self.run("-I", "0", file.path, "a")
            #expect(outcome.exitCode == 1 && outcome.errors.contains("1-10000000"))
            #expect(try String(contentsOf: file, encoding: .utf8) == "# people\n")
        }
    }

    // MARK: Compatibility with mosquitto

    private static let haveTool = Peers.areRequired || Subprocess.find("mosquitto_passwd") != nil

    @Test(
        "Files written by mosquitto_passwd work, with both of its hash formats",
        .enabled(if: haveTool, "mosquitto_passwd is not installed; scripts/test installs it"),
        arguments: ["sha512-pbkdf2", "sha512"])
    func reading(form: String) async throws {
        try await self.withFolder { folder in
            let file = folder.appending(path: "users")
            try await Subprocess("mosquitto_passwd", ["-H", form, "-c", "-b", file.path, "alice", "geheim ü"])
                .success()
            try await Subprocess("mosquitto_passwd", ["-H", form, "-b", file.path, "bob", "two"]).success()
            #expect(try await self.isLetIn("alice", "geheim ü", by: file))
            #expect(try await self.isLetIn("bob", "two", by: file))
            #expect(try await !self.isLetIn("bob", "geheim ü", by: file))
            // The file can also be edited.
            #expect(try await self.run("-b", file.path, "bob", "three").exitCode == 0)
            #expect(try await self.isLetIn("alice", "geheim ü", by: file))
            #expect(try await self.isLetIn("bob", "three", by: file))
        }
    }

    @Test(
        "mosquitto accepts the right passwords, and only those, with a file written by curlew passwd",
        .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"))
    func writing() async throws {
        try await self.withFolder { folder in
            let file = folder.appending(path: "users")
            #expect(try await self.run("-c", file.path, "alice a", input: "geheim ü\n") == Self.success)
            #expect(try await self.run("-b", "-I", "1", file.path, "bob", "two") == Self.success)
            let settings = Mosquitto.Settings(
                lines: ["password_file {folder}/users"],
                files: ["users": try String(contentsOf: file, encoding: .utf8)], allowsAnonymous: false)
            try await Mosquitto.run(settings) { broker in
                let logins = [
                    ("alice a", "geheim ü", true), ("bob", "two", true), ("bob", "one", false),
                    ("eve", "two", false),
                ]
                for (user, password, isLetIn) in logins {
                    let command = try Subprocess.curlew(
                        "pub", "-p", "\(broker.port())", "-u", user, "-P", password, "-t", "a", "-n")
                    try command.endInput()
                    #expect(try await (command.outcome().exitCode == 0) == isLetIn, "\(user) \(password)")
                }
            }
        }
    }
}
#endif
