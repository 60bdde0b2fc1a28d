#if Tools && Accounts
import ArgumentParser
import CurlewBroker
import CurlewCore
import CurlewTransport

/// `curlew passwd`
struct PasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Keep a file of users and passwords for a broker, in the form of mosquitto_passwd.",
        usage: """
            curlew passwd [-c | -D] [-I <iterations>] <file> <user>
            curlew passwd [-c] -b [-I <iterations>] <file> <user> <password>
            curlew passwd -U [-I <iterations>] <file>
            """,
        discussion: """
            The password is asked for on the terminal, twice, or read from the first line of standard input if that is a pipe. \
            The file is replaced as a whole, and only its owner can read it, and its group if it could before. A broker \
            takes it over when it reloads its files.

            -I weighs how long guesses take against how long connecting does: 10000 are some milliseconds of a processor, each \
            time that a client connects.
            """,
        helpNames: .long
    )

    @Flag(name: [.customShort("c"), .customLong("create")], help: "Begin a new file; an old one is overwritten.")
    var creates = false

    @Flag(name: [.customShort("D"), .customLong("delete")], help: "Delete the user.")
    var deletes = false

    @Flag(
        name: [.customShort("b"), .customLong("batch")],
        help: """
            Take the password from the command line, where others on this machine can see it. One that begins with '-' \
            stands after '--'.
            """)
    var isBatch = false

    @Flag(
        name: [.customShort("U"), .customLong("upgrade")],
        help: "Hash the passwords of a file that has them in plain text; what is hashed already stays.")
    var upgrades = false

    @Option(
        name: [.customShort("I"), .customLong("iterations")], parsing: .unconditional,
        help: ArgumentHelp(
            "Number of hash iterations. (default: \(MQTTPasswordEntries.defaultIterations))",
            valueName: "1-\(MQTTPasswordEntries.iterationLimits.upperBound)"), transform: IterationsArgument.read)
    var iterations: IterationsArgument?

    @Option(name: [.customShort("H"), .customLong("hash")], help: .private)
    var hash: String?

    @Argument(help: "The file.")
    var file: String

    @Argument(help: "The user's name.")
    var user: String?

    @Argument(help: "The user's password, with -b.")
    var password: String?

    func validate() throws {
        if self.hash == "sha512" {
            throw ValidationError("-H sha512 is read but not written, for it is quick to guess; leave it out")
        }
        if let hash, hash != "sha512-pbkdf2" {
            throw ValidationError("-H \(hash) is not known; leave it out for sha512-pbkdf2")
        }
        guard !self.upgrades else {
            if self.creates || self.deletes || self.isBatch || self.user != nil {
                throw ValidationError("-U takes a file alone; leave out all else but -I")
            }
            return
        }
        guard self.user != nil else { throw ValidationError("There is no user; give a name after the file") }
        if self.creates && self.deletes {
            throw ValidationError("-c and -D cannot be together; leave one of them out")
        }
        if self.deletes && (self.isBatch || self.iterations != nil || self.password != nil) {
            throw ValidationError("-D needs no password; leave out -b, -I and the password")
        }
        if self.isBatch && self.password == nil {
            throw ValidationError("There is no password; with -b it stands after the user's name")
        }
        if !self.isBatch && !self.deletes && self.password != nil {
            throw ValidationError("A password on the command line needs -b; without, it is asked for")
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
                "'\(self.file)' was replaced, and had \(replaced.counted("user")); leave out -c to add one.")
        }
        if file.wasReadableByEveryone {
            Diagnostics.say(
                "From now on '\(self.file)' can be read by its owner and group alone; the broker must be one of them."
            )
        }
    }

    /// Does what is asked for, and says whether the file has to be written.
    private func change(_ entries: inout MQTTPasswordEntries) throws -> Bool {
        if self.upgrades { return try entries.hashPlainText(iterations: self.rounds, path: self.file) > 0 }
        guard let user else { return false }
        guard let user = user.keptText else {
            throw CommandFailure("The user's name '\(user)' is not UTF-8 text; give it in UTF-8.")
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
            throw CommandFailure(
                "The file '\(self.file)' is not in UTF-8; convert it, for it could not be kept as it is.")
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
            // Where the terminal cannot be written, the person has gone.
            try? Descriptor.standardError.writeAll(Array(text.utf8))
        }.read()
    }
}

/// How often a hash is repeated.
struct IterationsArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number from 1 to \(MQTTPasswordEntries.iterationLimits.upperBound)"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), MQTTPasswordEntries.iterationLimits.contains(count) else { return nil }
        self.count = count
    }
}
#endif
