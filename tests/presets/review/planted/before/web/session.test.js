import { isAdmin } from './session';

describe('session', () => {
  it('knows an admin', () => {
    expect(isAdmin({ role: 'admin' })).toBe(true);
  });
});
