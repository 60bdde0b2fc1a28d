#if Tools
import MosquittoFixture
import Testing

@Suite("Shell completions", .timeLimit(.minutes(1)))
struct CompletionTests {
    private func script(for shell: String) async throws -> String {
        try await Subprocess.curlew("--generate-completion-script", shell).success()
    }

    /// Runs a script in a shell.
    private func run(_ shell: String, _ arguments: String..., input: String) async throws -> String {
        let process = try Subprocess(shell, arguments, hasInput: true)
        try process.write(input)
        try process.endInput()
        return try await process.success()
    }

    @Test(
        "bash accepts the script and completes with it",
        .enabled(if: Subprocess.find("bash") != nil, "bash is not installed"),
        arguments: [
            (["curlew", "p"], ["pub"]), (["curlew", "bench", ""], ["pub", "sub", "rtt", "conn"]),
            (["curlew", "pub", "--will-re"], ["--will-retain"]),
            (["curlew", "sub", "--qos", ""], ["0", "1", "2"]),
            (["curlew", "call", "--dialect", ""], ["mqtt5", "tasmota", "azure"]),
        ] as [([String], [String])])
    func bash(words: [String], completions: [String]) async throws {
        let script = try await self.script(for: "bash")
        #expect(try await self.run("bash", "-n", input: script) == "")
        // bash calls a completion function with the command, the current word and the previous word.
        let ask = """

            COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " ")))
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE}
            complete=$(complete -p curlew)
            function=${complete#* -F }
            ${function%% *} curlew "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" > /dev/null
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let found = try await self.run("bash", input: script + ask).split(separator: "\n").map(String.init)
        #expect(Set(found).isSuperset(of: completions), "\(found)")
    }

    @Test(
        "zsh and fish have their own scripts", arguments: [("zsh", "#compdef curlew"), ("fish", "complete -c")])
    func others(shell: String, content: String) async throws {
        let script = try await self.script(for: shell)
        #expect(script.contains(content))
        if Subprocess.find(shell) != nil { _ = try await self.run(shell, "-n", input: script) }
    }
}
#endif
