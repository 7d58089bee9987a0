# frozen_string_literal: true

# The Runtime API over one connection.

require 'socket.so' # `socket.rb` would take half as long as the interpreter's own start.

module Lampejo
  # An event: what it came with, and its bytes.
  Event = Struct.new(:headers, :body) do
    def [](name)
      headers[name.downcase]
    end
  end

  # Asks for events and answers them.
  class Client
    NEXT = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"
    RECEIVE_BYTES = 65_536

    def initialize(address)
      host, port = address.split(':')
      @socket = TCPSocket.new(host, Integer(port))
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      @received = String.new
      @asked = @answered = false
    end

    # Waits for an event.
    def next
      @socket.write(NEXT) unless @asked
      receive if @answered
      @asked = @answered = false
      receive
    end

    # Answers, and asks for the next event in the same write.
    def respond(request_id, body, content_type)
      finish("invocation/#{request_id}/response", body, content_type)
    end

    # Reports that the handler failed, and asks for the next event.
    def fail(request_id, error_type, body)
      finish("invocation/#{request_id}/error", body, 'application/json', error_type)
    end

    # Reports why the process ends: there is no handler, or it cannot go on.
    def fail_and_stop(request_id, error_type, body)
      path = request_id ? "invocation/#{request_id}/error" : 'init/error'
      @socket.write(post(path, body, 'application/json', error_type))
      receive
    end

    private

    def finish(path, body, content_type, error_type = nil)
      @socket.write(post(path, body, content_type, error_type), NEXT)
      @asked = @answered = true
    end

    def post(path, body, content_type, error_type)
      type = "Lambda-Runtime-Function-Error-Type: #{error_type}\r\n" if error_type
      "POST /2018-06-01/runtime/#{path} HTTP/1.1\r\nHost: runtime\r\n" \
        "Content-Type: #{content_type}\r\n#{type}" \
        "Content-Length: #{body.bytesize}\r\n\r\n".b << body.b
    end

    def receive
      more until (length = @received.index("\r\n\r\n"))
      lines = @received.slice!(0, length + 4).force_encoding(Encoding::UTF_8).split("\r\n")
      headers = lines.drop(1).to_h { |line| line.split(': ', 2) }.transform_keys(&:downcase)
      bytes = Integer(headers.fetch('content-length'))
      more while @received.bytesize < bytes
      Event.new(headers, @received.slice!(0, bytes))
    end

    def more
      @received << @socket.readpartial(RECEIVE_BYTES)
    rescue EOFError, SystemCallError
      exit!(0) # The server has let go of this instance.
    end
  end
end
