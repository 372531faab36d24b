class Mailer
  def deliver(mail)
    binding.pry
    mail.send
  rescue StandardError
  end
end
