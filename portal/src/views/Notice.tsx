/** Something failed: what, and the message that names the file and the place. */
export function Failure({ title, message }: { title: string; message: string }) {
  return (
    <div className="notice failure" role="alert">
      <strong>{title}</strong>
      <p>{message}</p>
    </div>
  );
}

export function Waiting({ text }: { text: string }) {
  return (
    <div className="notice" role="status">
      <span className="spinner" aria-hidden="true" />
      {text}
    </div>
  );
}
