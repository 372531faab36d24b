import { base } from './base';

export async function orders(): Promise<unknown> {
  const response = await fetch(`${base}/orders`);
  return response.json();
}
