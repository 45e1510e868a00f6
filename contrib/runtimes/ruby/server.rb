# The runtime server of Ruby functions: loads a function and serves runs of it over HTTP, in both generations of handlers.
#
#   def main(req, res)    req.variables, req.payload, req.headers; res.send(text, status), res.json(value, status)
#   def main(context)     context.req, context.res, context.log, context.error; what res.text and the like give is returned
#
# The contracts are those of contrib/runtimes/node/server.mjs, which describes them. Runs overlap, each in a thread of its own: what is written while a run is served
# belongs to that run, in threads that it starts as well.
require "json"
require "socket"
require "stringio"
require "uri"

module Badal
  BODY_MAX = 20 * 1024 * 1024
  WAIT, TURNS = 0.025, 10 # seconds that work of a run may take to end after its answer, and looks at it, for a machine may be busy
  OUTPUT_MAX = 4 * 1024 * 1024 # characters of each output of a run; the server keeps a million

  # ---- what a run writes ----

  LOCK, WITNESS = Mutex.new, IO.for_fd(1, "wb", autoclose: false).tap { |io| io.sync = true }

  class Output
    def initialize(number, which)
      @text, @length, @dropped, @number, @which = +"", 0, 0, number, which
    end

    # For the executor, at once, should the process end before the answer: see server.mjs.
    def witness(text)
      LOCK.synchronize { WITNESS.write("\x1e#{@number} #{@which} #{text.bytesize}\n".b + text.b) }
    end

    def add(text)
      text = text.dup.force_encoding("UTF-8").scrub
      room = OUTPUT_MAX - @length
      @dropped += [0, text.length - room].max
      text = text[0, room] if text.length > room
      @length += text.length
      @text << text
      witness(text) if @number && !text.empty?
    end

    def to_s
      @dropped > 0 ? "#{@text}\n[#{@dropped} more characters were dropped]" : @text
    end
  end

  class Run
    attr_accessor :logs, :errors, :over, :left
    attr_reader :threads # that it began

    def initialize(headers)
      number = headers["x-badal-run"]
      @logs, @errors, @over = Output.new(number, "l"), Output.new(number, "e"), false
      @threads, @left = [], 0
    end

    def add(which, text)
      send(which).add(text) unless over # what comes after the answer belongs to nobody
    end

    # Threads that go on after its end; Timeout keeps one of its own.
    def working = @threads.count { |t| t.alive? && !t.thread_variable_get(:"\0__detached_thread__") && !t.name.to_s.start_with?("Timeout") }

    # What comes now belongs to nobody. What ends by itself in a moment is waited for.
    def finish
      till, turns = now + WAIT, 0
      sleep 0.001 while working > 0 && ((turns += 1) <= TURNS || now < till)
      @left = working
      add(:errors, "The function went on with work after its answer (#{@left} × thread): that ends with the run.\n") if @left > 0
      @over = true
    end
    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    def headers = @left > 0 ? { "x-badal-left" => "1" } : {}

    def self.current = Thread.current.thread_variable_get(:badal_run)
    def self.current=(run)
      Thread.current.thread_variable_set(:badal_run, run)
    end
  end

  # $stdout and $stderr: of the run that is served, else the real one.
  class Stream < StringIO
    def initialize(real, which)
      super()
      @real, @which = real, which
    end

    def write(*texts)
      run = Run.current
      return @real.write(*texts) unless run
      texts.each { |t| run.add(@which, t.to_s) }
      texts.sum { |t| t.to_s.bytesize }
    end
    def <<(text)
      write(text)
      self
    end
    def print(*texts) = (write(*texts); nil)
    def printf(*args) = (write(format(*args)); nil)
    def puts(*lines)
      lines = [""] if lines.empty?
      lines.flatten.each { |l| write(l.to_s.end_with?("\n") ? l.to_s : "#{l}\n") }
      nil
    end
    def flush = self
    def sync = true
    def tty? = false
    def fileno = @real.fileno
  end

  # Threads of a run are the run's.
  module Inherit
    def initialize(*args, **more, &block)
      run = Run.current
      super(*args, **more) { |*a| Run.current = run; block.call(*a) }
      run&.threads&.push(self)
    end
  end
  Thread.prepend(Inherit)
  Thread.singleton_class.prepend(Module.new { def start(*args, &block) = new(*args, &block); alias_method :fork, :start })

  # What was raised, with the function's own lines.
  def self.reason(error)
    at = (error.backtrace || []).reject { |l| l.start_with?(__FILE__) }
    "#{at[0] ? "#{at[0]}: " : ""}#{error.message} (#{error.class})\n#{at.drop(1).map { |l| "\tfrom #{l}\n" }.join}"
  end
  def self.words(args) = args.map { |a| a.is_a?(String) ? a : a.is_a?(Hash) || a.is_a?(Array) ? JSON.generate(a) : a.to_s }.join(" ") + "\n"

  # ---- (req, res) ----

  OldRequest = Struct.new(:variables, :payload, :headers) { alias_method :env, :variables }

  class OldResponse
    attr_reader :answer

    def initialize(run)
      @run = run
    end

    def once(response, status)
      @run.add(:errors, "The function has answered already: the first answer counts.\n") if @answer
      @answer ||= [response, status]
    end
    def send(text = "", status = 200) = once(text.to_s, status)
    def json(value = nil, status = 200) = once(value, status)
  end

  # ---- (context) ----

  class Request
    attr_reader :method, :scheme, :host, :port, :path, :query, :query_string, :url, :headers, :body_binary

    def initialize(method, target, headers, body)
      @headers = headers.reject { |k, _| k.match?(/\Ax-(open-runtimes|badal)-/) }
      JSON.parse(ENV["OPEN_RUNTIMES_HEADERS"] || "{}").each { |k, v| @headers[k.downcase] = v.to_s }
      @method = headers["x-badal-method"] || method
      @scheme = @headers["x-forwarded-proto"] || "http"
      host = @headers["host"] || ""
      @host, port = host.match(/\A(.*?)(?::(\d+))?\z/).captures
      @port = port ? port.to_i : @scheme == "https" ? 443 : 80
      @path, @query_string = target.split("?", 2)
      @query_string ||= ""
      @query = URI.decode_www_form(@query_string).to_h
      @url = "#{@scheme}://#{host}#{target}"
      @body_binary = body
    end

    def body_text = @body_binary.dup.force_encoding("UTF-8").scrub
    alias_method :body_raw, :body_text
    def body_json = JSON.parse(body_text.empty? ? "{}" : body_text)
    def body
      type = (@headers["content-type"] || "").downcase
      return body_text.empty? ? "" : body_json if type.start_with?("application/json")
      type.match?(/\A(application\/octet-stream|image\/|audio\/|video\/)/) ? @body_binary : body_text
    end
  end

  class Response
    def text(body = "", status = 200, headers = {}) = { body: body, statusCode: status, headers: headers }
    alias_method :send, :text
    alias_method :binary, :text
    def json(value, status = 200, headers = {}) = text(JSON.generate(value), status, headers.merge("content-type" => "application/json"))
    def empty = text("", 204)
    def redirect(url, status = 301, headers = {}) = text("", status, headers.merge("location" => url))
  end

  class Context
    attr_reader :req, :res

    def initialize(req, run)
      @req, @res, @run = req, Response.new, run
    end
    def log(*args) = @run.add(:logs, Badal.words(args))
    def error(*args) = @run.add(:errors, Badal.words(args))
  end

  # ---- the function and its runs ----

  module Function
    class << self
      attr_reader :generation

      def load(code, entrypoint)
        file = File.join(code, entrypoint)
        raise "There is no file #{entrypoint}. What there is: #{Dir.children(code).sort.first(20).join(", ")}" unless File.file?(file)
        $LOAD_PATH.unshift(File.dirname(file), code)
        require file
        raise "#{entrypoint} defines no method main: def main(context) …" unless Object.private_method_defined?(:main) || Object.method_defined?(:main)
        TOPLEVEL_BINDING.receiver.method(:main)
      end

      def start(told)
        (told["variables"] || {}).each { |k, v| ENV[k] = v.to_s }
        code = File.realpath(told["code"] || "/code")
        Dir.chdir(code)
        @secret = told["secret"]
        begin
          @handler = load(code, told["entrypoint"])
        rescue Exception => e # SystemExit and SyntaxError, too
          @broken = Badal.reason(e)
        end
        arity = @handler ? @handler.parameters.count { |kind, _| kind == :req } : 1
        @generation = %w[v2 v5].include?(told["generation"]) ? told["generation"] : arity >= 2 ? "v2" : "v5"
        { generation: @generation, error: @broken }.compact
      end

      def guarded(run)
        Run.current = run
        return run.add(:errors, @broken) && nil if @broken
        yield
      rescue Exception => e
        run.add(:errors, Badal.reason(e))
        nil
      ensure
        Run.current = nil
      end

      def old(headers, body)
        return Server.reply(500, { stderr: "Unauthorized" }) if headers["x-internal-challenge"] != @secret
        asked, run = JSON.parse(body.empty? ? "{}" : body), Run.new(headers)
        variables = asked["variables"] || {}
        variables.each { |k, v| ENV[k] = v.to_s unless %w[APPWRITE_FUNCTION_DATA APPWRITE_FUNCTION_EVENT_DATA].include?(k) }
        res = OldResponse.new(run)
        guarded(run) do
          @handler.call(OldRequest.new(variables, asked["payload"] || "", asked["headers"] || {}), res)
          run.add(:errors, "The function ended without an answer: it calls res.send(…) or res.json(…) before it ends.\n") unless res.answer
        end
        run.finish
        response, status = res.answer || ["", 500]
        Server.reply(status, { response: response, stdout: run.logs.to_s.chomp, stderr: run.errors.to_s.chomp }, run.headers)
      end

      def new_run(run, req)
        return { body: "", statusCode: 503, headers: {} }.tap { run.add(:errors, @broken) } if @broken
        given = guarded(run) { @handler.call(Context.new(req, run)) || :none }
        return given if given.is_a?(Hash) && given.key?(:statusCode)
        run.add(:errors, "The function returned no answer: return context.res.text(…), json(…), binary(…), empty or redirect(…).\n") if given
        { body: "", statusCode: 500, headers: {} }
      end

      def timed(seconds, run, req)
        work = Thread.new { new_run(run, req) }
        return work.value if work.join(seconds)
        work.kill
        run.add(:errors, "Execution timed out.\n")
        { body: "", statusCode: 500, headers: {} }
      end

      def headers_of(given)
        headers = (given || {}).to_h { |k, v| [k.to_s.downcase, v.to_s.gsub(/[\r\n]/, " ")] }.reject { |k, _| k.match?(/\A(x-(open-runtimes|badal)-.*|content-length|transfer-encoding)\z/) }
        headers["content-type"] ||= "text/plain"
        headers["content-type"] += "; charset=utf-8" unless headers["content-type"].start_with?("multipart/") || headers["content-type"].match?(/charset=/i)
        headers
      end

      # Status, headers and body of an answer, as they can be sent.
      def parts_of(given, run)
        status = given[:statusCode]
        raise RangeError, "The status of an answer is a number from 200 to 599, not #{status.inspect}." unless status.is_a?(Integer) && status.between?(200, 599)
        headers = headers_of(given[:headers])
        raise ArgumentError, "The name of a header has letters, digits and hyphens." unless headers.keys.all? { |k| k.match?(/\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/) }
        [status, headers, (given[:body].is_a?(String) ? given[:body] : given[:body].nil? ? "" : JSON.generate(given[:body])).b]
      rescue StandardError => e
        run.errors.add(Badal.reason(e))
        [500, { "content-type" => "text/plain; charset=utf-8" }, "".b]
      end

      def new_style(method, target, headers, body)
        return Server.reply(500, { message: "Unauthorized" }) if @secret && headers["x-open-runtimes-secret"] != @secret
        seconds = Float(headers["x-open-runtimes-timeout"] || 0, exception: false)
        return Server.reply(500, { message: "x-open-runtimes-timeout is a number of seconds" }) unless seconds
        ENV["APPWRITE_FUNCTION_API_ENDPOINT"] = headers["x-badal-endpoint"] unless headers["x-badal-endpoint"].to_s.empty? # of this run: it says how deep in a chain it is
        run, req = Run.new(headers), Request.new(method, target, headers, body)
        given = seconds > 0 ? timed(seconds, run, req) : new_run(run, req)
        run.finish
        status, own, bytes = parts_of(given, run)
        return [status, own, bytes] if headers["x-badal-logs"] != "inline"
        logs, errors = headers["x-open-runtimes-logging"] == "disabled" ? ["", ""] : [run.logs.to_s.b, run.errors.to_s.b]
        [200, own.merge("x-badal-status" => status.to_s, **run.headers), bytes + logs + errors + format("%016x%016x%016x", bytes.bytesize, logs.bytesize, errors.bytesize)]
      end
    end
  end

  # ---- HTTP ----

  module Server
    class << self
      def reply(status, value, headers = {}) = [status, { "content-type" => "application/json", **headers }, JSON.generate(value).b]

      def serve(method, target, headers, body)
        if target == "/__opr/health" then [200, {}, "OK"]
        elsif target == "/__badal/start" && Function.generation.nil? then reply(200, Function.start(JSON.parse(body)))
        elsif Function.generation.nil? then reply(503, { stderr: "The function has not been started." })
        elsif Function.generation == "v2" then Function.old(headers, body)
        else Function.new_style(method, target, headers, body)
        end
      end

      def read_body(c, headers)
        return c.read([headers["content-length"].to_i, BODY_MAX].min) || "".b unless (headers["transfer-encoding"] || "").include?("chunked")
        body = "".b
        while (n = c.gets.to_s.to_i(16)) > 0 && body.bytesize + n <= BODY_MAX
          body << c.read(n)
          c.gets
        end
        c.gets
        body
      end

      def connection(c)
        while (line = c.gets) && (m = line.match(%r{\A([A-Z]+) (\S+) HTTP/1\.[01]\r\n\z}))
          headers = {}
          headers[$1.downcase] = $2 while (line = c.gets) && line != "\r\n" && line.match(/\A([^:\s]+):[ \t]*(.*?)[ \t]*\r\n\z/)
          status, own, body = serve(m[1], m[2], headers, read_body(c, headers))
          none = status == 204 || status == 304
          c.write("HTTP/1.1 #{status} \r\n#{own.map { |k, v| "#{k}: #{v}\r\n" }.join}#{none ? "" : "content-length: #{body.bytesize}\r\n"}\r\n")
          c.write(body) unless none || m[1] == "HEAD"
        end
      rescue SystemCallError, IOError
        nil # the other side is gone
      ensure
        c.close
      end

      def run
        path = ENV["BADAL_SOCKET"]
        server = path ? UNIXServer.new(path) : TCPServer.new("0.0.0.0", 3000)
        Socket.accept_loop(server) { |c| Thread.new { connection(c) } }
      end
    end
  end
end

Thread.report_on_exception = false
$stdout, $stderr = Badal::Stream.new(STDOUT, :logs), Badal::Stream.new(STDERR, :errors)
Badal::Server.run
