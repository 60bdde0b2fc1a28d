#if Tools
/// Reads a password that is not on the command line: from a terminal, where it is asked for twice, or from the first
/// line of a pipe.
struct PasswordInput: Sendable {
    /// The maximum length in MQTT.
    static let maximumLength = 65_535

    private let input: Descriptor
    private let ask: @Sendable (String) -> Void

    /// - Parameters:
    ///   - input: A terminal or a pipe.
    ///   - ask: Prints text on the terminal, unchanged.
    init(_ input: Descriptor, ask: @escaping @Sendable (String) -> Void) {
        self.input = input
        self.ask = ask
    }

    func read() throws(CommandFailure) -> [UInt8] {
        guard self.input.isTerminal else { return try Self.checked(try self.firstLine()) }
        let password = try Self.checked(try self.answer(to: "Password: "))
        guard try self.answer(to: "Repeat password: ") == password else {
            throw CommandFailure("The passwords differ; nothing was changed.")
        }
        return password
    }

    /// Checks the length of a password.
    static func checked(_ password: [UInt8]) throws(CommandFailure) -> [UInt8] {
        guard !password.isEmpty else { throw CommandFailure("The password is empty; nothing was changed.") }
        guard password.count <= Self.maximumLength else {
            throw CommandFailure("The password is longer than \(Self.maximumLength) bytes, the maximum in MQTT.")
        }
        return password
    }

    private func answer(to question: String) throws(CommandFailure) -> [UInt8] {
        self.ask(question)
        defer { self.ask("\n") }
        do throws(HiddenInput.Interruption) {
            return try HiddenInput(self.input).readLine()
        } catch {
            switch error {
            // The exit code of a command that Ctrl-C has ended.
            case .abandoned: throw CommandFailure(nil, exitCode: 130)
            case .failed(let error): throw CommandFailure("Reading the password failed: \(error).")
            }
        }
    }

    private func firstLine() throws(CommandFailure) -> [UInt8] {
        var line: [UInt8] = []
        do throws(SystemError) {
            while line.count <= Self.maximumLength + 1, !line.contains(UInt8(ascii: "\n")) {
                let more = try self.input.readSome(4096)
                if more.isEmpty { break }
                line += more
            }
        } catch {
            throw CommandFailure("Reading the password from standard input failed: \(error).")
        }
        line = Array(line.prefix { $0 != UInt8(ascii: "\n") })
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }
}
#endif
