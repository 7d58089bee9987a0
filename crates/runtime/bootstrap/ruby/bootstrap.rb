# frozen_string_literal: true

# Starts a Ruby function: run with `--disable-gems`. Read next: `lampejo/loop.rb`.

# What a function brings along must not stand in for what the runtime itself needs.
search_path = $LOAD_PATH.dup
$LOAD_PATH.replace(search_path - ENV.fetch('RUBYLIB', '').split(':'))
require 'json'
require_relative 'lampejo/gems'
require_relative 'lampejo/loop'
$LOAD_PATH.replace(search_path)

Lampejo::Loop.new.run
