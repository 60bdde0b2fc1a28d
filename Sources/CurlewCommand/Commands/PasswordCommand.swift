#if Tools && Accounts
import ArgumentParser
import CurlewBroker
import CurlewCore
import CurlewTransport

/// `curlew passwd`
struct PasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Edit a broker's password file, in the format of mosquitto_passwd.",
        usage: """
            curlew passwd [-c | -D] [-I <iterations>] <file> <user>
            curlew passwd [-c] -b [-I <iterations>] <file> <user> <password>
            curlew passwd -U [-I <iterations>] <file>
            """,
        discussion: """
            Asks for the password twice on the terminal, or reads it from the first line of standard input if that is not a \
            terminal. The file is replaced atomically. Its owner can read it, and its group if the group could read the old \
            file. A running broker uses the new file after SIGHUP.

            More iterations (-I) make attacks on the hashes slower, and also each connection: 10000 iterations take some \
            milliseconds of processor time whenever a client connects.
            """,
        helpNames: .long
    )

    @Flag(
        name: [.customShort("c"), .customLong("create")], help: "Create a new file. An existing file is overwritten.")
    var creates = false

    @Flag(name: [.customShort("D"), .customLong("delete")], help: "Delete the user.")
    var deletes = false

    @Flag(
        name: [.customShort("b"), .customLong("batch")],
        help: """
            Take the password from the command line, where other users of this machine can see it. Put '--' before a \
            password that begins with '-'.
            """)
    var isBatch = false

    @Flag(
        name: [.customShort("U"), .customLong("upgrade")],
        help: "Hash the passwords that are stored in plain text; hashes stay unchanged.")
    var upgrades = false

    @Option(
        name: [.customShort("I"), .customLong("iterations")], parsing: .unconditional,
        help: ArgumentHelp(
            "Number of hash iterations. (default: \(MQTTPasswordEntries.defaultIterations))",
            valueName: "1-\(MQTTPasswordEntries.iterationLimits.upperBound)"), transform: IterationsArgument.read)
    var iterations: IterationsArgument?

    @Option(name: [.customShort("H"), .customLong("hash")], help: .private)
    var hash: String?

    @Argument(help: "Password file.")
    var file: String

    @Argument(help: "User name.")
    var user: String?

    @Argument(help: "Password; only with -b.")
    var password: String?

    func validate() throws {
        if self.hash == "sha512" {
            throw ValidationError("-H sha512 is read but not written, because it is quick to attack; leave it out")
        }
        if let hash, hash != "sha512-pbkdf2" {
            throw ValidationError("-H \(hash) is unknown; leave it out for sha512-pbkdf2")
        }
        guard !self.upgrades else {
            if self.creates || self.deletes || self.isBatch || self.user != nil {
                throw ValidationError("-U takes only a file; leave out everything else except -I")
            }
            return
        }
        guard self.user != nil else { throw ValidationError("The user name is missing; give it after the file") }
        if self.creates && self.deletes {
            throw ValidationError("-c and -D exclude each other; leave one of them out")
        }
        if self.deletes && (self.isBatch || self.iterations != nil || self.password != nil) {
            throw ValidationError("-D needs no password; leave out -b, -I and the password")
        }
        if self.isBatch && self.password == nil {
            throw ValidationError("The password is missing; with -b, give it after the user name")
        }
        if !self.isBatch && !self.deletes && self.password != nil {
            throw ValidationError("A password on the command line needs -b; without -b, you are asked for it")
        }
    }

    func run() throws {
        let file = try self.openFile()
        var entries = try self.readEntries()
        let replaced = self.creates ? (try? self.readExisting())?.count ?? 0 : 0
        do {
            guard try self.change(&entries) else { return }
        } catch let error as MQTTBrokerError {
            throw CommandFailure(error.message)
        }
        do throws(Files.Failure) {
            try file.replace(with: Array(entries.text.utf8))
        } catch {
            throw CommandFailure("The file '\(self.file)' cannot be written: \(error.reason).")
        }
        if replaced > 0 {
            Diagnostics.say(
                "Replaced '\(self.file)', which had \(replaced.counted("user")); leave out -c to add a user.")
        }
        if file.wasReadableByEveryone {
            Diagnostics.say(
                "'\(self.file)' can now be read only by its owner and group; the broker must run as one of them."
            )
        }
    }

    /// Changes the entries. Returns whether the file must be written.
    private func change(_ entries: inout MQTTPasswordEntries) throws -> Bool {
        if self.upgrades { return try entries.hashPlainText(iterations: self.rounds, path: self.file) > 0 }
        guard let user else { return false }
        guard let user = user.keptText else {
            throw CommandFailure("The user name '\(user)' is not UTF-8 text; give it in UTF-8.")
        }
        if self.deletes {
            guard entries.remove(user) else {
                throw CommandFailure("There is no user '\(user)' in '\(self.file)'; nothing was changed.")
            }
        } else {
            if let problem = MQTTPasswordEntries.problem(inUser: user) { throw CommandFailure(problem) }
            try entries.set(user, password: self.readPassword(), iterations: self.rounds)
        }
        return true
    }

    private var rounds: Int { self.iterations?.count ?? MQTTPasswordEntries.defaultIterations }

    private func openFile() throws(CommandFailure) -> ReplacedFile {
        do throws(Files.Failure) {
            return try ReplacedFile(self.file)
        } catch {
            throw CommandFailure("The file '\(self.file)' cannot be read: \(error.reason).")
        }
    }

    private func readEntries() throws(CommandFailure) -> MQTTPasswordEntries {
        if self.creates { return MQTTPasswordEntries() }
        return try self.readExisting()
    }

    private func readExisting() throws(CommandFailure) -> MQTTPasswordEntries {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try bytesOfFile(self.file)
        } catch {
            throw CommandFailure("The file '\(self.file)' cannot be read: \(error).")
        }
        guard let bytes else {
            let remedy = self.deletes || self.upgrades ? "check its name" : "create it with -c"
            throw CommandFailure("The file '\(self.file)' does not exist; \(remedy).")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure("The file '\(self.file)' is not UTF-8 text; convert it first.")
        }
        do throws(MQTTBrokerError) {
            return try MQTTPasswordEntries(text: text, path: self.file)
        } catch {
            throw CommandFailure(error.message)
        }
    }

    private func readPassword() throws(CommandFailure) -> [UInt8] {
        if let password { return try PasswordInput.checked(password.keptBytes) }
        return try PasswordInput(.standardInput) { text in
            // Ignore errors: if the terminal cannot be written, nobody can answer.
            try? Descriptor.standardError.writeAll(Array(text.utf8))
        }.read()
    }
}

/// The number of hash iterations.
struct IterationsArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number from 1 to \(MQTTPasswordEntries.iterationLimits.upperBound)"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), MQTTPasswordEntries.iterationLimits.contains(count) else { return nil }
        self.count = count
    }
}
#endif
