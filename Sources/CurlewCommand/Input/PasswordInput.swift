#if Tools
/// Where a password comes from that is not on the command line: from a person, asked twice, or from a pipe, in its first line.
struct PasswordInput: Sendable {
    /// As many as MQTT can carry.
    static let maximumLength = 65_535

    private let input: Descriptor
    private let ask: @Sendable (String) -> Void

    /// - Parameters:
    ///   - input: A terminal or a pipe.
    ///   - ask: Shows text to the person at the terminal, as it is.
    init(_ input: Descriptor, ask: @escaping @Sendable (String) -> Void) {
        self.input = input
        self.ask = ask
    }

    func read() throws(CommandFailure) -> [UInt8] {
        guard self.input.isTerminal else { return try Self.checked(try self.firstLine()) }
        let password = try Self.checked(try self.answer(to: "Password: "))
        guard try self.answer(to: "The same again: ") == password else {
            throw CommandFailure("The two passwords differ; nothing was changed.")
        }
        return password
    }

    /// A password, if it can be one.
    static func checked(_ password: [UInt8]) throws(CommandFailure) -> [UInt8] {
        guard !password.isEmpty else { throw CommandFailure("The password is empty; nothing was changed.") }
        guard password.count <= Self.maximumLength else {
            throw CommandFailure("The password is longer than the \(Self.maximumLength) bytes that MQTT can carry.")
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
            // As if the signal of Ctrl-C had ended it.
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
